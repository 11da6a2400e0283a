"""Every error a user can meet: one cause, one exit code, one next step.

Exit codes are stable and documented (docs/exit-codes.md); scripts and CI pipelines depend on them.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

INTERRUPTED = 130
# Several failures at once: the first of these that occurred is the exit code of the command.
PRECEDENCE = (INTERRUPTED, 1, 2, 12, 3, 4, 7, 5, 6, 8, 9, 10, 11, 0)


class EdgekitError(Exception):
    """A failure with a cause for people, a code for scripts, and the next step to take.

    Attributes:
        message: one line, the cause.
        next: one line, what to do about it; may be empty.
    """

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, next: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next = next


class UsageError(EdgekitError):
    """A wrong command line, or an output that cannot be written."""

    exit_code = 2
    code = "usage"


class TargetError(EdgekitError):
    """A target profile that is unknown or wrong."""

    exit_code = 3
    code = "target"


class SourceError(EdgekitError):
    """A model or a download that is missing, damaged or not supported."""

    exit_code = 4
    code = "model"


class BuildError(EdgekitError):
    """The build itself failed: an engine, a full disk, a child out of memory."""

    exit_code = 5
    code = "build"


class BundleError(EdgekitError):
    """A bundle that is damaged, changed, or not for this reader."""

    exit_code = 6
    code = "bundle"


class ToolMissing(EdgekitError):
    """A program or an optional Python package that the command needs is not installed."""

    exit_code = 7
    code = "tool-missing"


class DeviceError(EdgekitError):
    """A device that cannot be reached, is busy, or stopped answering."""

    exit_code = 8
    code = "device"


class QualityError(EdgekitError):
    """The quality gate failed, or a golden output differs."""

    exit_code = 9
    code = "quality"


class OverBudget(EdgekitError):
    """A measurement is beyond its budget."""

    exit_code = 10
    code = "over-budget"


class NotMeasured(EdgekitError):
    """A budgeted or gated metric was not measured, or its measurement is invalid."""

    exit_code = 11
    code = "not-measured"


class LockMismatch(EdgekitError):
    """edgekit.lock does not match what would be built."""

    exit_code = 12
    code = "lock-mismatch"


class Interrupted(EdgekitError):
    """The user, or whoever stopped the process, ended the command."""

    exit_code = INTERRUPTED
    code = "interrupted"


def _children(cls: type[EdgekitError]) -> Iterable[type[EdgekitError]]:
    for child in cls.__subclasses__():
        yield child
        yield from _children(child)


def from_code(code: str, message: str, next: str = "") -> EdgekitError:
    """The error a child process wrote down as `code`, as an exception of this process."""
    for cls in _children(EdgekitError):
        if cls.code == code:
            return cls(message, next=next)
    return EdgekitError(message, next=next)


def first(codes: Iterable[int]) -> int:
    """The exit code that stands for several: the first in PRECEDENCE that occurs."""
    seen = set(codes)
    return next((code for code in PRECEDENCE if code in seen), max(seen, default=0))


def from_oserror(error: OSError, doing: str, *, otherwise: type[EdgekitError] = BuildError) -> EdgekitError:
    """An operating system's refusal while `doing` something ("writing the bundle"), as one line."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return BuildError(
            f"the disk is full while {doing}{where}",
            next="free space or choose another folder with -o, then run the same command again",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UsageError(
            f"no permission while {doing}{where}", next="choose a folder you may write to, or fix its rights"
        )
    return otherwise(f"{error.strerror or error} while {doing}{where}", next="look at that path, then run it again")


def unwritable(folder: Path, reason: str) -> UsageError:
    """The message for an output folder that cannot take files."""
    return UsageError(f"cannot write to {folder}: {reason}", next="choose another folder with -o")
