"""The disks that every command writes to without being told where: the temporary one, and the cache's."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

from edgekit import console
from edgekit.errors import BuildError, EdgekitError, UsageError

_VARIABLES = ("TMPDIR", "TEMP", "TMP")  # as tempfile reads them


def temporary() -> None:
    """Warn where the folder that the user wishes temporary files in cannot be used, and name the one that is taken."""
    wished = next(((name, os.environ[name]) for name in _VARIABLES if os.environ.get(name)), None)
    if wished is None:
        return
    name, value = wished
    try:
        taken = tempfile.gettempdir()
        if os.path.realpath(taken) == os.path.realpath(value):
            return
        why = _refusal(Path(value))
    except OSError:  # no folder at all: whoever needs one says so
        return
    console.warn(f"{name}={value} cannot be used ({why}): temporary files go to {taken}")


def _refusal(folder: Path) -> str:
    """Why nothing can be written in a folder."""
    if not folder.is_dir():
        return "there is no such folder"
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"edgekit")
            file.flush()
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return "it could not be written a moment ago"


def full(error: OSError, doing: str) -> EdgekitError | None:
    """An error for a write that does not say where it was made; None for any other."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT) or error.filename:
        return None
    from edgekit import cache

    places = {"TMPDIR": Path(tempfile.gettempdir()), "EDGEKIT_CACHE": cache.root(), "here": Path.cwd()}
    free = {name: _free(folder) for name, folder in places.items()}
    words = ", ".join(f"{free[name]} in {folder} ({name})" for name, folder in places.items())
    return BuildError(
        f"the disk is full while {doing}; free: {words}",
        next="free space there, or set TMPDIR or EDGEKIT_CACHE to a folder of a larger disk, then run it again",
    )


def refused(error: OSError) -> EdgekitError | None:
    """An error for a cache that belongs to somebody else, or lies where nothing may be made; None for any other."""
    from edgekit import cache

    if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS) or not isinstance(error.filename, str | os.PathLike):
        return None
    there, root = Path(os.fsdecode(error.filename)).absolute(), cache.root().absolute()
    if not there.is_relative_to(root) and not root.is_relative_to(there):
        return None
    return UsageError(f"no permission to write the cache ({there})", next="set EDGEKIT_CACHE to a folder of your own")


def _free(folder: Path) -> str:
    there = next((above for above in (folder, *folder.parents) if above.exists()), folder)
    return f"{shutil.disk_usage(there).free / 1e6:.1f} MB"
