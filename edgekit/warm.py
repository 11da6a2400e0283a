"""A child of ours that stays: it loads its libraries once, and each job of its program is forked from it.

Its half of the contract is edgekit.jobs.warm: a line of standard input is the path of a request; on standard output it
names the process that it forked, whose events follow, and says how that ended.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from edgekit import console, start, tools

ENDED = b'{"ended": '  # how the line begins that says how a forked process ended


class Warm:
    """A child of `job` that loads its libraries once, and is forked for each request (Linux).

    Args:
        argv: the program, whose main module asks edgekit.jobs.warm for its request.
        env: of a folder of its own.
    """

    def __init__(self, argv: Sequence[str | Path], env: Callable[[Path], Mapping[str, str]]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="edgekit-warm-"))
        command = [*map(str, argv), start.WAIT]
        variables = {**tools.environment(), **tools.QUIET_ENGINES, **env(self._folder)}
        console.detail("+ " + " ".join(command))
        try:
            self.process = tools.launch(command, self._folder, variables, stdin=tools.PIPE)
        except BaseException:
            self._folder.rmdir()
            raise

    def fork(self, request: Path) -> Forked | None:
        """Tell it a request; the process that takes it, or None where there is no worker any more."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(f"{request}\n".encode())
            self.process.stdin.flush()
        except OSError:
            return None
        told = next((event for event in tools.events_of(self.process) if "forked" in event), None)
        return Forked(int(told["forked"]), self.process) if told is not None else None

    def close(self) -> None:
        """End it, whatever it does."""
        tools.kill(self.process.pid)
        tools.release(self.process)
        shutil.rmtree(self._folder, ignore_errors=True)


class Forked:
    """A process that a worker forked, as subprocess.Popen has one: its output ends, the worker's goes on."""

    stdin = stderr = None

    def __init__(self, pid: int, worker: tools.Child) -> None:
        self.pid, self.stdout = pid, self
        self.returncode: int | None = None
        self._worker = worker

    def __iter__(self) -> Iterator[bytes]:
        """The lines that it writes."""
        for line in self._worker.stdout:
            if line.startswith(ENDED):
                self.returncode = int(line.removeprefix(ENDED).rstrip(b"}\n"))
                return
            yield line

    def wait(self) -> int:
        """Its exit code; that of the worker, where it ended with that."""
        return self._worker.wait() if self.returncode is None else self.returncode

    def close(self) -> None:
        """Where it was left before its end, the worker ends too: what it would still say is nobody's."""
        if self.returncode is None:
            tools.kill(self._worker.pid)
            self.returncode = self._worker.wait()
