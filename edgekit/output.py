"""The one door to a file that a user names (-o, --plot, a result beside a bundle): it replaces regular files only.

a new or a regular file   written aside and renamed: all of the old or all of the new, with the old one's rights
a link                    what it leads to is written; the link stays
a pipe, a terminal, /dev/null, /dev/stdout, /dev/fd/N    written to
a folder, a socket, a disk, a link that leads nowhere but to itself    refused, before anything slow begins
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edgekit import console, scratch
from edgekit.data import encoded
from edgekit.errors import UsageError, from_oserror

STDOUT = Path("-")  # where a command has text for it, the command itself prints it
_NEXT = "give the name of a file that can be written"
_LINKS = 40  # as many as Linux follows
_DESCRIPTORS = re.compile(r"/dev/fd|/proc/[0-9]+(/task/[0-9]+)?/fd")
_REFUSED = {stat.S_IFDIR: "a folder", stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a disk"}


@dataclass(frozen=True)
class _Place:
    """Where bytes go.

    Attributes:
        file: the regular file that is replaced, or made.
        old: of the file that is there.
        stream: what is written to instead: a path that is opened, or one of our own descriptors.
    """

    file: Path | None = None
    old: os.stat_result | None = None
    stream: Path | int | None = None


def check(path: Path) -> None:
    """Refuse what cannot be written, before the work whose result goes there; nothing is opened.

    Raises:
        UsageError: with the reason.
    """
    _place(path)


def write(path: Path, text: str) -> None:
    """Write a text; raises as `file`."""
    with file(path) as new:
        new.write_bytes(encoded(text))


@contextmanager
def file(path: Path) -> Iterator[Path]:
    """A file to write to; its bytes are at `path`, whatever that is, once the block has ended well.

    Raises:
        UsageError: it cannot be written there.
        BuildError: the disk is full; what was there is still whole.
    """
    place = _place(path)
    try:
        if place.file is None:
            with tempfile.TemporaryDirectory() as folder:
                new = Path(folder, path.name or "file")
                yield new
                with new.open("rb") as source, _opened(place.stream) as sink:
                    shutil.copyfileobj(source, sink)
            return
        with scratch.beside(place.file) as new:
            yield new
            if place.old is not None:
                _like(new, place.old)
    except OSError as error:
        raise from_oserror(error, f"writing {path}", otherwise=UsageError) from error
    if place.old is not None and place.old.st_nlink > 1:
        console.warn(f"{path} is a new file now: its other names (hard links) keep the old one")


def _place(path: Path) -> _Place:
    if path == STDOUT:
        raise UsageError("this is no text for stdout", next=_NEXT)
    try:
        found = _stat(path)
        if found is None:
            return _new(path, Path(os.path.realpath(path)))
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise UsageError(f"cannot write to {path}: {_said(error)}", next=_NEXT) from None
    kind = stat.S_IFMT(found.st_mode)
    if word := _REFUSED.get(kind):
        raise UsageError(f"cannot write to {path}: it is {word}", next=_NEXT)
    if kind != stat.S_IFREG:
        return _Place(stream=_descriptor(path) or path)
    if (descriptor := _descriptor(path) or _standard(found)) is not None:
        return _Place(stream=descriptor)
    real = Path(os.path.realpath(path))
    at = _stat(real)
    if at is None or not os.path.samestat(at, found):  # another process's descriptor of a file that has no name
        return _Place(stream=path)
    if not os.access(real, os.W_OK):
        raise UsageError(f"cannot write to {path}: it is read-only", next=_NEXT)
    _folder(path, real.parent)
    return _Place(file=real, old=found)


def _new(path: Path, real: Path) -> _Place:
    if not real.parent.is_dir():
        raise UsageError(f"cannot write to {path}: there is no folder {real.parent}", next="make it, or name another")
    _folder(path, real.parent)
    return _Place(file=real)


def _folder(path: Path, folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write to {path}: no permission to make a file in {folder}", next=_NEXT)


def _stat(path: Path) -> os.stat_result | None:
    """Of what the path leads to; None where nothing is there yet."""
    with suppress(FileNotFoundError):
        return path.stat()
    return None


def _said(error: OSError | ValueError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _descriptor(path: Path) -> int | None:
    """The number of our own descriptor that the path is a name of: /dev/stdout, /dev/fd/3, a link to one."""
    here = path.absolute()
    for _ in range(_LINKS):
        folder = os.path.realpath(here.parent)
        if _DESCRIPTORS.fullmatch(folder) and here.name.isdigit():
            ours = folder == "/dev/fd" or folder.split("/")[2] == str(os.getpid())
            return int(here.name) if ours else None
        if not here.is_symlink():
            return None
        here = Path(folder) / here.readlink()
    return None


def _standard(found: os.stat_result) -> int | None:
    """Our own output, where it goes to this very file: renaming another over it would lose what follows."""
    for descriptor in (1, 2):
        with suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), found):
                return descriptor
    return None


def _opened(stream: Path | int | None) -> BinaryIO:
    assert stream is not None
    flags = os.O_WRONLY | getattr(os, "O_NOCTTY", 0)
    return os.fdopen(os.dup(stream) if isinstance(stream, int) else os.open(stream, flags), "wb")


def _like(new: Path, old: os.stat_result) -> None:
    """The rights of the file that is replaced, and as far as the system allows its owner."""
    if hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(new, old.st_uid, old.st_gid)
    new.chmod(stat.S_IMODE(old.st_mode))
