"""Libraries that are loaded once: each job of a build that wants them is forked from this process (edgekit.warm).

`edgekit.jobs.warm LIBRARY ...` imports these, and of edgekit nothing that a job would find loaded already: what a job
uses of edgekit it loads itself, and tells (edgekit.used), as it does in a process that was started for it alone. A
message on standard input, a socket, is a job's program and request; with it comes the pipe for its events.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NoReturn

from edgekit.start import PARENT, end_with_parent

LARGEST = 1 << 18  # bytes of a message


def main(libraries: Sequence[str]) -> int:
    """Import the libraries, then fork a job for each message, until nobody can send one any more."""
    asked = socket.socket(fileno=0)
    for name in libraries:
        with suppress(Exception):  # the job itself will meet it again, with a log to write it to
            importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody here waits for those that wait
    while True:
        message, pipes, _, _ = socket.recv_fds(asked, LARGEST, 1)
        if not message:
            return 0
        os.environ[PARENT] = str(os.getpid())
        if os.fork() == 0:
            _onto(os.open(os.devnull, os.O_RDONLY), asked.detach())  # were it closed, the next file would be the input
            _wait(json.loads(message), pipes[0])
        os.close(pipes[0])


def _onto(handle: int, number: int) -> None:
    """Have a file under another number, and under that alone."""
    os.dup2(handle, number)
    os.close(handle)


def _wait(job: dict[str, Any], events: int) -> NoReturn:
    """Beside a job: start it, and say how it ended, after all that it says itself."""
    end_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ[PARENT] = str(os.getpid())
    pid = os.fork()
    if pid == 0:
        _run(job, events)
    _, status = os.waitpid(pid, 0)
    with suppress(OSError):  # whoever asked has gone
        os.write(events, f'{{"ended": {os.waitstatus_to_exitcode(status)}}}\n'.encode())
    os._exit(0)


def _run(job: dict[str, Any], events: int) -> NoReturn:
    """The job, as edgekit.start would run it: in a group, a folder and a log of its own."""
    end_with_parent()
    os.setpgid(0, 0)
    os.chdir(job["folder"])
    os.write(events, f'{{"forked": {os.getpid()}}}\n'.encode())  # before any event of its own
    _onto(events, 1)
    _onto(os.open(job["log"], os.O_WRONLY | os.O_APPEND), 2)
    os.environ.update(job["environment"])
    for name in [name for name in sys.modules if name.partition(".")[0] == "edgekit"]:
        del sys.modules[name]
    sys.argv[:] = job["words"]
    code: Any = 0
    try:
        runpy.run_module(job["words"][0], run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
        code = 1
    for stream in (sys.__stdout__, sys.__stderr__):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()  # type: ignore[union-attr]
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)  # libraries take a second to go in order


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
