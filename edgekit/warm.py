"""The processes of a run that stay: each loads some libraries once, and the jobs that want them are forked from it.

    with warm.kept():                 a build, a project's builds, the gates of one model
        tools.job(...)                of a program that PROGRAMS names is forked; any other is started

Whoever keeps them first keeps them for all that lies within. The other half is edgekit.jobs.warm. On Linux alone: each
job is a process that is started for it elsewhere.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from edgekit import console, start, tools
from edgekit.errors import EdgekitError

PROGRAM = tools.module("edgekit.jobs.warm")
ENDED = b'{"ended": '  # how the line begins that says how a forked process ended
OLIVE, ONNX = ("olive.workflows",), ("numpy", "onnx", "onnxruntime")
TORCH = ("transformers.models.auto.modeling_auto", "transformers.models.auto.tokenization_auto")  # and torch with them
# Which libraries a program finds loaded.
PROGRAMS = {
    "edgekit.jobs.olive.run": OLIVE,
    "edgekit.jobs.reference": TORCH,
    "edgekit.inputs._trial": ONNX,
    "edgekit.partition._child": ONNX,
    "edgekit.quality._child_labels": ONNX,
    "edgekit.quality._child_llm": ONNX,
    "edgekit.quality._child_tensor": ONNX,
    "edgekit.wrappers.python": ONNX,
}
# A source that was never tried is a model that was never quantized: what takes seconds begins while it is opened.
FIRST = {"edgekit.inputs._trial": OLIVE}
# Threads that spin while they wait make torch up to eight times slower on a machine that is not idle.
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE"}


@contextmanager
def kept() -> Iterator[None]:
    """Within it, jobs are forked from processes that end with it; nothing new where somebody keeps some already."""
    if tools.forking.get() is not None or sys.platform != "linux":
        yield
        return
    workers = Workers()
    token = tools.forking.set(workers.fork)
    try:
        yield
    finally:
        tools.forking.reset(token)
        workers.close()


@contextmanager
def apart(alone: bool) -> Iterator[None]:
    """Within it, if it is to be so, every job is a process that is started for it."""
    token = tools.forking.set(None if alone else tools.forking.get())
    try:
        yield
    finally:
        tools.forking.reset(token)


class Workers:
    """For each set of libraries the process that has loaded them; started when it is first wanted. Many may ask."""

    def __init__(self) -> None:
        self._warm: dict[tuple[str, ...], Warm] = {}
        self._lock = threading.Lock()

    def fork(self, argv: Sequence[str], request: Path, env: Mapping[str, str]) -> tools.Child | None:
        """The process that does a job; None where it is to be started by itself."""
        words = list(argv[len(PROGRAM) - 1 :])
        wanted = PROGRAMS.get(words[0]) if list(argv[: len(PROGRAM) - 1]) == PROGRAM[:-1] else None
        if wanted is None or start.IMPORTS in env:
            return None
        if words[0] in FIRST:
            self._of(FIRST[words[0]])
        worker = self._of(wanted)
        return worker.fork(words, request, env) if worker is not None else None

    def _of(self, libraries: tuple[str, ...]) -> Warm | None:
        with self._lock:
            worker = self._warm.get(libraries)
            if worker is None or worker.process.poll() is not None:
                if worker is not None:
                    worker.close()
                with suppress(OSError, EdgekitError):  # it would only have saved time
                    worker = self._warm[libraries] = Warm(libraries)
            return worker

    def close(self) -> None:
        """End all of them."""
        for worker in self._warm.values():
            worker.close()


class Warm:
    """A process that has loaded some libraries, or is about to, and forks for each request (Linux)."""

    def __init__(self, libraries: tuple[str, ...]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="edgekit-warm-"))
        more = {**tools.homes(self._folder), **(PASSIVE if libraries is TORCH else {})}
        variables = {**tools.environment(), **tools.QUIET_ENGINES, **more}
        command = [*PROGRAM, *libraries]
        console.detail("+ " + " ".join(command))
        self._asking, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                quiet = tools.DEVNULL
                self.process = tools.launch(command, self._folder, variables, quiet, quiet, theirs.fileno())
        except BaseException:
            self._asking.close()
            self._folder.rmdir()
            raise

    def fork(self, words: Sequence[str], request: Path, env: Mapping[str, str]) -> Forked | None:
        """The process of a job, which began; None where there is no worker any more.

        Args:
            words: a module of edgekit and its arguments.
        """
        log, folder = request.with_name("log.txt"), request.with_name(tools.CWD)
        job = {"words": list(words), "folder": str(folder), "log": str(log), "environment": dict(env)}
        read, write = os.pipe()
        lines = os.fdopen(read, "rb")
        try:
            socket.send_fds(self._asking, [json.dumps(job).encode()], [write])
        except OSError:
            lines.close()
            return None
        finally:
            os.close(write)
        told = lines.readline()
        if not told:
            lines.close()
            return None
        return Forked(int(json.loads(told)["forked"]), lines)

    def close(self) -> None:
        """End it, whatever it does."""
        self._asking.close()
        tools.kill(self.process.pid)
        tools.release(self.process)
        shutil.rmtree(self._folder, ignore_errors=True)


class Forked:
    """A process that a worker forked, as subprocess.Popen has one: its output ends when it has ended."""

    stdin = stderr = None

    def __init__(self, pid: int, lines: IO[bytes]) -> None:
        self.pid, self.stdout = pid, self
        self.returncode: int | None = None
        self._lines = lines

    def __iter__(self) -> Iterator[bytes]:
        """The lines that it writes."""
        for line in self._lines:
            if line.startswith(ENDED):
                self.returncode = int(line.removeprefix(ENDED).rstrip(b"}\n"))
                return
            yield line

    def wait(self) -> int:
        """Its exit code; that of a killed one, where nobody told it."""
        if self.returncode is None:
            with suppress(OSError, ValueError):  # it was let go before its end
                for _ in self:
                    pass
        self.returncode = tools.KILLED[0] if self.returncode is None else self.returncode
        return self.returncode

    def close(self) -> None:
        """Let go of it; it has ended, or was killed."""
        self._lines.close()
