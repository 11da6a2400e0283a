"""A job's child that loads its libraries once and forks for each request (edgekit.warm); elsewhere it takes its one."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from edgekit.start import PARENT, WAIT, end_with_parent
from edgekit.tools import CWD


def request(load: Callable[[], None]) -> Path:
    """The path of the request; of a warm child it is returned in a process of its own, once for each line of stdin.

    Args:
        load: imports what the job needs.
    """
    if sys.argv[-1] != WAIT:
        return Path(sys.argv[-1])
    events = os.dup(1)
    os.dup2(2, 1)  # a library's print is no event
    with suppress(Exception):  # the job itself will meet it again, with a log to write it to
        load()
    os.environ[PARENT] = str(os.getpid())
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            return _begun(Path(line.rstrip("\n")), events)
        _, status = os.waitpid(child, 0)
        _tell(events, ended=os.waitstatus_to_exitcode(status))
    sys.exit(0)


def _begun(path: Path, events: int) -> Path:
    """In the forked process: a group, a folder and a log of its own."""
    end_with_parent()
    os.setpgid(0, 0)
    os.chdir(path.with_name(CWD))
    _tell(events, forked=os.getpid())  # before any event of its own
    for handle, stream in ((events, 1), (os.open(path.with_name("log.txt"), os.O_WRONLY | os.O_APPEND), 2)):
        os.dup2(handle, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    return path


def _tell(events: int, **words: int) -> None:
    """A line for edgekit.warm."""
    os.write(events, f"{json.dumps(words)}\n".encode())
