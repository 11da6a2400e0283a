"""Look at a machine's files and programs, this one's or a device's: what meters and probes read through.

Errors are those of the operating system: FileNotFoundError (no such file or program) and PermissionError.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgekit import tools
from edgekit.errors import EdgekitError

Source = str | tuple[str, ...]  # a file's path, or a program with its arguments
PROGRAM_S = 20.0  # seconds until a program that only reports something is given up


@dataclass(frozen=True)
class Reading:
    """What the sources of a poll said at one moment.

    Attributes:
        at_s: seconds on the machine's own clock that never goes back.
        texts: in the order of the sources; None where one could not be read.
    """

    at_s: float
    texts: tuple[str | None, ...]


class Poll(Protocol):
    """Readings that are being taken."""

    def stop(self) -> list[Reading]:
        """Take the last reading and return all of them. The first was taken before `poll` returned.

        Raises:
            DeviceError: the device went away meanwhile.
        """


class Reader(Protocol):
    """The files and programs of one machine."""

    def text(self, path: str) -> str:
        """A small file's text without the white space around it; FileNotFoundError, PermissionError."""

    def find(self, pattern: str) -> list[str]:
        """The paths that match a shell pattern, sorted; none where nothing does."""

    def run(self, *argv: str, stdin: str = "") -> str:
        """A program's output; FileNotFoundError where there is no such program, PermissionError where it may not."""

    def poll(self, sources: Sequence[Source], period_s: float) -> Poll:
        """Begin to read the sources again and again."""


class LocalReader:
    """This machine.

    Args:
        root: the folder that stands for "/": a recorded tree in tests.
        path: where programs are looked for, as $PATH.
    """

    def __init__(self, root: Path = Path("/"), path: str | None = None) -> None:
        self._root, self._path = root, path

    def text(self, path: str) -> str:
        """See Reader.text."""
        return self._at(path).read_text(encoding="utf-8", errors="replace").strip().strip("\0")

    def find(self, pattern: str) -> list[str]:
        """See Reader.find."""
        return sorted(f"/{found.relative_to(self._root).as_posix()}" for found in self._root.glob(pattern.lstrip("/")))

    def run(self, *argv: str, stdin: str = "") -> str:
        """See Reader.run."""
        program = shutil.which(argv[0], path=self._path)
        if program is None:
            raise FileNotFoundError(argv[0])
        done = tools.run([program, *argv[1:]], timeout=PROGRAM_S, stdin=stdin.encode() if stdin else None)
        if done.returncode and _refused(done.stderr + done.stdout):
            raise PermissionError(f"{argv[0]}: {(done.stderr or done.stdout).strip()[:200]}")
        return done.stdout

    def poll(self, sources: Sequence[Source], period_s: float) -> Poll:
        """See Reader.poll."""
        return _LocalPoll(self, sources, period_s)

    def _at(self, path: str) -> Path:
        return self._root / path.lstrip("/")


class _LocalPoll:
    """A thread that reads; sysfs files take microseconds."""

    def __init__(self, reader: LocalReader, sources: Sequence[Source], period_s: float) -> None:
        self._reader, self._sources, self._period = reader, sources, period_s
        self._found = [self._read()]
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()

    def stop(self) -> list[Reading]:
        """See Poll.stop."""
        self._enough.set()
        self._thread.join()
        return [*self._found, self._read()]

    def _go_on(self) -> None:
        while not self._enough.wait(self._period):
            self._found.append(self._read())

    def _read(self) -> Reading:
        before = time.monotonic()
        texts = tuple(self._one(source) for source in self._sources)
        return Reading((before + time.monotonic()) / 2, texts)

    def _one(self, source: Source) -> str | None:
        try:
            return self._reader.text(source) if isinstance(source, str) else self._reader.run(*source)
        except (OSError, EdgekitError):  # what it means that a source has gone is the meter's to say
            return None


def _refused(text: str) -> bool:
    return any(word in text.lower() for word in ("permission denied", "permission denial", "not permitted"))
