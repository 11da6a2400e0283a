"""Look at a machine's files and programs, this one's or a device's: what meters and probes read through.

Errors are those of the operating system: FileNotFoundError (no such file or program) and PermissionError.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

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
