"""What is put aside while something is made, and goes with its maker, however that ends.

    TMPDIR/ek-UID/NAME/        of one run: what tempfile, its children and their libraries make; TMPDIR points to it
    TMPDIR/ek-UID/NAME.lock    held while the run lives; the system lets go of it when the run is killed
    DIR/.FILE.NAME.part        the new text of DIR/FILE, locked while it is written

Whoever comes next removes what a killed one has left: of runs the next run, beside a file the next that writes it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_VARIABLES = ("TMPDIR", "TEMP", "TMP")
_PART = ".part"
_STEM = 100  # characters of a file's name in those beside it: the whole must be no longer than a file system allows
_ATTEMPTS = 8  # another run's end may remove the home that this one has just made


@contextmanager
def room() -> Iterator[None]:
    """Until the block is left, temporary files of this process and its children lie in a folder of its own.

    Where none can be made, they lie where they would without this.
    """
    made = _make()
    if made is None:
        yield
        return
    folder, lock = made
    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(dict.fromkeys(_VARIABLES, str(folder)))
    tempfile.tempdir = None  # look it up again
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        tempfile.tempdir = None
        _remove(folder, lock)


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A new, empty file in the folder of `path`, which takes the place of `path` when the block ends well.

    Whoever reads `path` finds all of the old or all of the new; a failure leaves the old.

    Raises:
        OSError: as the system refuses.
    """
    stem = f".{path.name[:_STEM]}."
    _sweep_beside(path.parent, stem)
    new = path.with_name(f"{stem}{secrets.token_hex(4)}{_PART}")
    handle = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        if sys.platform == "win32":  # it neither renames nor lets others open what is open
            os.close(handle)
        else:
            _held(handle)
        yield new
        with new.open("rb+") as stream:
            os.fsync(stream.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    finally:
        if sys.platform != "win32":
            os.close(handle)


def _sweep_beside(folder: Path, stem: str) -> None:
    for path in folder.iterdir() if sys.platform != "win32" else ():
        if path.name.startswith(stem) and path.name.endswith(_PART):
            with suppress(OSError):
                handle = os.open(path, os.O_RDWR)
                if _held(handle):
                    path.unlink()
                os.close(handle)


def _make() -> tuple[Path, int] | None:
    """The folder and its lock."""
    for _ in range(_ATTEMPTS):
        with suppress(OSError):
            home = _home()
            if home is None:
                return None
            _sweep(home)
            folder = home / secrets.token_hex(4)
            lock = os.open(_lock_of(folder), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            if _held(lock) and _is_at(lock, _lock_of(folder)):
                folder.mkdir(mode=0o700)
                return folder, lock
            os.close(lock)  # somebody's sweep met it before it was locked
    return None


def _home() -> Path | None:
    """The folder of all runs of this user; None where its name is somebody else's."""
    user = os.getuid() if sys.platform != "win32" else 0
    home = Path(tempfile.gettempdir()) / f"ek-{user}"
    with suppress(FileExistsError):
        home.mkdir(mode=0o700)
    found = home.lstat()
    ours = sys.platform == "win32" or (found.st_uid == user and not found.st_mode & 0o077)
    return home if stat.S_ISDIR(found.st_mode) and ours else None


def _sweep(home: Path) -> None:
    """Remove what killed runs have left."""
    for path in home.iterdir():
        folder = path.with_suffix("") if path.suffix == ".lock" else path
        with suppress(OSError):
            lock = os.open(_lock_of(folder), os.O_RDWR | os.O_CREAT, 0o600)
            if _held(lock):
                _remove(folder, lock, keep_home=True)
            else:
                os.close(lock)


def _remove(folder: Path, lock: int, *, keep_home: bool = False) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if sys.platform == "win32":  # it removes no file that is open
        os.close(lock)
    with suppress(OSError):
        _lock_of(folder).unlink()
    if sys.platform != "win32":
        os.close(lock)
    if not keep_home:
        with suppress(OSError):  # others are in it
            folder.parent.rmdir()


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _held(lock: int) -> bool:
    """Take the lock, if nobody has it; the system takes it back when this process ends."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_at(handle: int, path: Path) -> bool:
    """Whether the open file is still the one of this name."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False
