"""Write beside, then rename: a destination holds all of the new, all of the old, or nothing; never a part.

    DIR/NAME                  the destination: a bundle's folder, or a .zip
    DIR/.NAME.edgekit/        the workspace, on the same file system: new/ is made, old/ is what it replaces
    DIR/.NAME.edgekit.lock    held by the owner of the workspace; the system releases it if that is killed

One writer owns a destination at a time, so what the next owner finds in its workspace a killed one has left.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from edgekit import cache
from edgekit.bundle.read import name_of
from edgekit.errors import EdgekitError, UsageError, from_oserror

_AT_FDCWD = {"linux": -100, "darwin": -2}
_EXCHANGE = {"linux": ("renameat2", 2), "darwin": ("renameatx_np", 2)}  # RENAME_EXCHANGE, RENAME_SWAP


@contextmanager
def workspace(destination: Path) -> Iterator[Path]:
    """An empty folder beside `destination`, ours alone until the block is left, and gone after it.

    Waits while another process writes the same destination.

    Raises:
        UsageError: the folder of the destination cannot be made or written.
    """
    destination = destination.absolute()
    home, name = destination.parent, destination.name
    room = home / f".{name}.edgekit"
    with ExitStack() as stack:
        with writing(f"opening {home}"):
            stack.callback(_remove_empty, [folder for folder in (home, *home.parents) if not folder.exists()])
            home.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context(cache.locked(home / f".{name}.edgekit.lock", f"writes {destination}"))
        # Unlinked while held: whoever waits for it sees that and makes a new one.
        stack.callback(remove, Path(lock.lock_file))
        stack.callback(remove, room)
        with writing(f"opening {home}"):
            _recover(room, destination)
            room.mkdir()
        yield room


def replace(new: Path, destination: Path, room: Path) -> None:
    """Put `new` at `destination`; what was there is removed. Both lie on one file system, `room` beside them.

    On Linux and macOS the two are exchanged in one step. Elsewhere there is a moment with neither; if killed
    then, whoever opens the workspace next puts the old one back.
    """
    destination = destination.absolute()
    if not os.path.lexists(destination):
        new.rename(destination)
    elif _exchange(new, destination):
        remove(new)
    else:
        destination.rename(room / "old")
        new.rename(destination)
    sync(destination.parent)


def check_destination(destination: Path, name: str, *, force: bool = False) -> None:
    """Refuse to replace what is not an earlier bundle called `name`; `force` allows it for files and folders.

    Raises:
        UsageError: something else lies there.
    """
    if not os.path.lexists(destination):
        return
    if not stat.S_ISLNK(mode := destination.lstat().st_mode) and not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise UsageError(f"{destination} exists and is no file and no folder", next="choose another folder with -o")
    if force:
        return
    try:
        found = f"the bundle {name_of(destination)!r}"
    except EdgekitError:
        found = "not a bundle that this edgekit can read"
    if destination.is_symlink():
        found = "a link"
    elif found == f"the bundle {name!r}" or (destination.is_dir() and not any(destination.iterdir())):
        return
    raise UsageError(
        f"{destination} exists and is {found}", next="move it away, choose another folder with -o, or give --force"
    )


def check_writable(folder: Path) -> None:
    """Refuse a folder that bundles cannot be made in, before anything slow begins.

    Raises:
        UsageError: there is no permission for it, or what of its path is there is no folder.
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise UsageError(f"{there} is no folder", next="choose another with -o")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"no permission to write into {there}", next="choose another with -o, or fix its rights")


def resolved(destination: Path, *, force: bool = False) -> Path:
    """The absolute path that is replaced: with `force`, where a link is there, what it leads to."""
    return Path(os.path.realpath(destination)) if force and destination.is_symlink() else destination.absolute()


@contextmanager
def writing(doing: str, *, otherwise: type[EdgekitError] = UsageError) -> Iterator[None]:
    """An operating system's refusal in this block becomes the one error that says what was being done."""
    try:
        yield
    except OSError as error:
        raise from_oserror(error, doing, otherwise=otherwise) from error


def remove(path: Path) -> None:
    """Remove a file or a folder with all in it, as far as the system allows; a missing one is fine."""
    if path.is_symlink() or path.is_file():
        with suppress(OSError):
            path.unlink()
        return
    if os.name == "nt":  # Windows does not remove read-only files
        for found in path.rglob("*"):
            found.chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)


def sync(path: Path) -> None:
    """Ask the system to put a file or a folder's list of names on the disk."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_empty(made: list[Path]) -> None:
    """What was made for nothing goes too; rmdir refuses a folder that is in use."""
    with suppress(OSError):
        for folder in made:
            folder.rmdir()


def _recover(room: Path, destination: Path) -> None:
    """Tidy up after a killed writer: its half-made work goes, and what it had moved away comes back."""
    old = room / "old"
    if os.path.lexists(old) and not os.path.lexists(destination):
        old.rename(destination)
    remove(room)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two paths in one step; False where the system or the file system cannot.

    See renameat2(2) on Linux (3.15, glibc 2.28) and renameatx_np(2) on macOS (10.12).
    """
    if sys.platform not in _EXCHANGE:
        return False
    name, flag = _EXCHANGE[sys.platform]
    try:
        call = getattr(ctypes.CDLL(None, use_errno=True), name)
    except (OSError, AttributeError):
        return False
    here = _AT_FDCWD[sys.platform]
    return bool(call(here, os.fsencode(one), here, os.fsencode(other), ctypes.c_uint(flag)) == 0)
