"""Every error a user can meet: one cause, one exit code, one next step.

Exit codes are stable and documented (docs/exit-codes.md); scripts and CI pipelines depend on them.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

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

    def __init_subclass__(cls, *, exit_code: int = 0, code: str = "") -> None:
        cls.exit_code, cls.code = exit_code or cls.exit_code, code or cls.code

    def __init__(self, message: str, *, next: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next = next


class UsageError(EdgekitError, exit_code=2, code="usage"):
    """A wrong command line, or an output that cannot be written."""


class TargetError(EdgekitError, exit_code=3, code="target"):
    """A target profile that is unknown or wrong."""


class SourceError(EdgekitError, exit_code=4, code="model"):
    """A model or a download that is missing, damaged or not supported."""


class BuildError(EdgekitError, exit_code=5, code="build"):
    """The build itself failed: an engine, a full disk, a child out of memory.

    Attributes:
        killed: who killed the child that it was about, if it was killed: "memory" (the kernel, or it may have been),
            "somebody". What the child was to find is then not known, and nothing may be made as if it were.
    """

    def __init__(self, message: str, *, next: str = "", killed: Literal["", "memory", "somebody"] = "") -> None:
        super().__init__(message, next=next)
        self.killed = killed


class BundleError(EdgekitError, exit_code=6, code="bundle"):
    """A bundle that is damaged, changed, or not for this reader."""


class ToolMissing(EdgekitError, exit_code=7, code="tool-missing"):
    """A program or an optional Python package that the command needs is not installed."""


class DeviceError(EdgekitError, exit_code=8, code="device"):
    """A device that cannot be reached, is busy, or stopped answering."""


class QualityError(EdgekitError, exit_code=9, code="quality"):
    """The quality gate failed, a golden output differs, or lint found what would be refused."""


class OverBudget(EdgekitError, exit_code=10, code="over-budget"):
    """A measurement is beyond its budget."""


class NotMeasured(EdgekitError, exit_code=11, code="not-measured"):
    """A budgeted or gated metric was not measured, or its measurement is invalid."""


class LockMismatch(EdgekitError, exit_code=12, code="lock"):
    """What would be built, or was, is not what edgekit.lock says."""


class Interrupted(EdgekitError, exit_code=INTERRUPTED, code="interrupted"):
    """The user, or whoever stopped the process, ended the command."""


def from_code(code: str, message: str, next: str = "") -> EdgekitError:
    """The error a child process wrote down as `code`, as an exception of this process."""
    known = {cls.code: cls for cls in EdgekitError.__subclasses__()}
    return known.get(code, EdgekitError)(message, next=next)


def from_child(error: Any) -> EdgekitError:
    """What a child process wrote down as its error: {code, message, next}, if it keeps to that."""
    told = error if isinstance(error, dict) else {"message": f"a child left an error of another form: {error!r:.200}"}
    return from_code(*(str(told.get(key, "")) for key in ("code", "message", "next")))


def first(codes: Iterable[int]) -> int:
    """The exit code that stands for several: the first in PRECEDENCE that occurs."""
    seen = set(codes)
    return next((code for code in PRECEDENCE if code in seen), max(seen, default=0))


def worst(errors: Iterable[EdgekitError]) -> EdgekitError | None:
    """Of several errors that whose exit code stands for all; None of none."""
    known = list(errors)
    code = first(error.exit_code for error in known)
    return next((error for error in known if error.exit_code == code), None)


def from_oserror(error: OSError, doing: str, *, otherwise: type[EdgekitError] = BuildError) -> EdgekitError:
    """An operating system's refusal while `doing` something ("writing the bundle"), as one line."""
    where = f" ({error.filename})" if error.filename and not isinstance(error.filename, int) else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return BuildError(
            f"the disk is full while {doing}{where}",
            next="free space or choose another folder with -o, then run the same command again",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UsageError(f"no permission while {doing}{where}", next="fix the rights of that path, or choose another")
    return otherwise(f"{error.strerror or error} while {doing}{where}", next="look at that path, then run it again")
