"""Digests of files and folders, remembered; and snapshots, which tell whether files are still what they were.

What is remembered is trusted for one size, mtime, ctime and inode: mtime can be set (archives do), ctime by nobody. A
file whose times are younger than a file system's coarsest grain could change without a trace: it is hashed each time,
until it is older.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from edgekit import data, memo
from edgekit.errors import SourceError

GRAIN = 2_000_000_000  # ns; FAT counts in two seconds, and kernels stamp a few milliseconds late
KEPT = 20_000  # digests remembered


def root() -> Path:
    """$EDGEKIT_CACHE, or the platform's cache folder for edgekit. Created when first needed."""
    import platformdirs

    chosen = os.environ.get("EDGEKIT_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_cache_dir("edgekit", False))


def path_digest(path: Path) -> str:
    """sha256 of a file, or of a folder's sorted relative paths and digests (hidden files left out).

    An unchanged multi-gigabyte source costs nothing again.
    """
    with remembered() as known:
        if path.is_file():
            return digest_of(path, known)
        return data.digest({name: digest_of(below, known) for name, below in listing(path)})


def digest_of(path: Path, known: dict[str, Any]) -> str:
    """sha256 of a file, or what the memo has of it."""
    return str(recalled(known, path, data.file_digest))


class Stamp(NamedTuple):
    """What a change of a file's bytes changes: two equal ones, not too young, are one content."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    def settled(self, now: int) -> bool:
        """True where a change after `now` (ns since the epoch) is sure to give another stamp."""
        return max(self.mtime_ns, self.ctime_ns) + GRAIN < now


def stamp(path: Path) -> Stamp:
    """The stamp of the file that a path leads to."""
    stat = path.stat()
    return Stamp(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


def recalled(known: dict[str, Any], path: Path, read: Callable[[Path], Any], role: str = "") -> Any:
    """What `read` makes of a file, as plain JSON: read where its stamp is unknown, kept where the stamp says enough."""
    before = stamp(path)
    key = "|".join([*([role] if role else []), str(path.absolute()), *map(str, before)])
    if key in known:
        return known[key]
    now = time.time_ns()
    made = read(path)
    if before.settled(now) and stamp(path) == before:
        known[key] = made
    return made


@contextmanager
def remembered(name: str = "digests.json") -> Iterator[dict[str, Any]]:
    """What is known of files, for a while."""
    with memo.kept(root() / name, KEPT) as known:
        yield known


@dataclass(frozen=True)
class Snapshot:
    """Files as they were when they were first looked at. What is made from them is kept only if they still are.

    Attributes:
        paths: files and folders; one that was missing must stay missing.
        what: names them in messages ("the model net.onnx").
        young: digests of the files whose stamps do not say enough.
    """

    paths: tuple[Path, ...]
    what: str
    stamps: dict[Path, Stamp]
    young: dict[Path, str]

    @property
    def sha256(self) -> str:
        """Of all files, by their names."""
        return data.digest([[path.name, path_digest(path) if path.exists() else None] for path in self.paths])

    def check(self) -> None:
        """Look again.

        A file that changed and changed back is a changed one: somebody may have read it in between.

        Raises:
            SourceError: a file was changed, replaced, added or removed.
        """
        now = _stamps(self.paths)
        differs = [path for path in {**self.stamps, **now} if self.stamps.get(path) != now.get(path)]
        differs += [path for path, sha256 in _digests(self.young).items() if sha256 != self.young[path]]
        if differs:
            raise SourceError(
                f"{self.what} changed while it was read ({differs[0].name}): nothing made from it is kept",
                next="wait until nobody writes it, then run the same command again",
            )


def snapshot(*paths: Path, what: str) -> Snapshot:
    """The state of files and folders, before anything else is read from them.

    Raises:
        SourceError: they change at this moment.
    """
    now, stamps = time.time_ns(), _stamps(paths)
    young = _digests(path for path, stamp in stamps.items() if not stamp.settled(now))
    taken = Snapshot(paths, what, stamps, young)
    if young:
        taken.check()
    return taken


NOTHING = Snapshot((), "nothing", {}, {})


@contextmanager
def unchanged(*snapshots: Snapshot) -> Iterator[None]:
    """Work on files that must not change until it is done. One that did explains every failure of the work.

    Raises:
        SourceError: one did.
    """
    try:
        yield
    except Exception as error:
        for taken in snapshots:
            try:
                taken.check()
            except SourceError as changed:
                raise changed from error
        raise
    for taken in snapshots:
        taken.check()


def _stamps(paths: tuple[Path, ...]) -> dict[Path, Stamp]:
    found = {}
    for path in paths:
        for file in (below for _, below in listing(path)) if path.is_dir() else (path,):
            try:
                found[file] = stamp(file)
            except OSError:  # missing, or removed at this moment
                continue
    return found


def _digests(files: Iterable[Path]) -> dict[Path, str]:
    found = {}
    for path in files:
        try:
            found[path] = data.file_digest(path)
        except OSError:  # removed, or not ours to read: whoever needs it will say so
            found[path] = ""
    return found


def listing(folder: Path) -> Iterator[tuple[str, Path]]:
    """Names and paths of a folder's files, sorted; hidden ones, and those in hidden folders, left out."""
    for found in sorted(folder.rglob("*")):
        inside = found.relative_to(folder)
        if not any(part.startswith(".") for part in inside.parts) and found.is_file():
            yield inside.as_posix(), found
