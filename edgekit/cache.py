"""The cache: one folder per stage result, named by what went into it, written aside and renamed.

    ROOT/<stage>/<key>/            the result, and entry.json with the key in plain words and each file's digest
    ROOT/<stage>/<key>.lock        held while it is made, so that two builds of one thing make it once
    ROOT/<stage>/.<key>.<pid>      being made; a leftover of a killed build, removed by the next

Every result can be made again, so any of it may be deleted at any time.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit import console
from edgekit.data import digest, file_digest, write_atomic
from edgekit.errors import UsageError, from_oserror

STAGES = ("import", "optimize", "compile", "gate", "bundle")
_RECORD = "entry.json"


@dataclass(frozen=True)
class Entry:
    """One result: where it lies and whether it was there already."""

    path: Path
    hit: bool


@dataclass(frozen=True)
class EntryInfo:
    """One line of `edgekit cache show`."""

    stage: str
    key: str
    what: str
    bytes: int
    last_used: float
    path: Path


def root() -> Path:
    """$EDGEKIT_CACHE, or the platform's cache folder for edgekit. Created when first needed."""
    import platformdirs

    chosen = os.environ.get("EDGEKIT_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_cache_dir("edgekit", False))


def downloads() -> Path:
    """Where fetched files are kept."""
    return _folder("downloads")


def produce(stage: str, key: Mapping[str, Any], make: Callable[[Path], None], *, what: str = "") -> Entry:
    """The result of a stage: found, or made by `make(folder)` in an empty folder that is then renamed into place.

    Args:
        stage: one of STAGES.
        key: plain JSON; everything the result depends on.
        make: fills the folder it is given; if it raises, nothing is kept.
        what: words for `edgekit cache show`.
    """
    from filelock import FileLock, Timeout

    name = digest(dict(key))[:32]
    home = _folder(stage)
    final = home / name
    if _whole(final):
        return Entry(final, True)
    lock = FileLock(home / f"{name}.lock")
    try:
        lock.acquire(timeout=0.1)
    except Timeout:
        console.say(f"waiting for another build that makes the same ({stage}) ...")
        lock.acquire()
    try:
        if _whole(final):
            return Entry(final, True)
        _clear(home, name)
        aside = home / f".{name}.{os.getpid()}"
        try:
            aside.mkdir()
            make(aside)
            _record(aside, key, what)
            aside.rename(final)
        except OSError as error:
            raise from_oserror(error, f"writing the {stage} cache") from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return Entry(final, False)
    finally:
        lock.release()


def lookup(stage: str, key: Mapping[str, Any]) -> Path | None:
    """The whole result of this key, if there is one; nothing is made."""
    final = root() / stage / digest(dict(key))[:32]
    return final if _whole(final) else None


def path_digest(path: Path) -> str:
    """sha256 of a file, or of a folder's sorted relative paths and digests (hidden files left out).

    Memoised by path, size, mtime_ns and inode, so an unchanged multi-gigabyte source costs nothing again.
    """
    with _memo() as memo:
        if path.is_file():
            return _memoised(path, memo)
        listing = {
            found.relative_to(path).as_posix(): _memoised(found, memo)
            for found in sorted(path.rglob("*"))
            if found.is_file() and not any(part.startswith(".") for part in found.relative_to(path).parts)
        }
        return digest(listing)


def discard(entry: Path) -> None:
    """Forget a result (one found damaged)."""
    shutil.rmtree(entry, ignore_errors=True)


def entries() -> list[EntryInfo]:
    """Every whole result and download, least recently used first."""
    found = []
    for stage in (*STAGES, "downloads"):
        for path in sorted((root() / stage).glob("*")):
            if path.name.startswith(".") or path.suffix == ".lock":
                continue
            record = _read(path) or {}
            used = max(path.stat().st_mtime, (path / _RECORD).stat().st_mtime if record else 0)
            size = sum(item.stat().st_size for item in _files(path))
            found.append(EntryInfo(stage, path.name, str(record.get("what", "")), size, used, path))
    return sorted(found, key=lambda entry: entry.last_used)


def prune(*, older_than_days: float | None = None, max_bytes: int | None = None) -> list[EntryInfo]:
    """Remove results unused for some days, then the least recently used until the rest fits; return the removed."""
    kept = entries()
    limit = time.time() - older_than_days * 86400 if older_than_days is not None else None
    gone = [entry for entry in kept if limit is not None and entry.last_used < limit]
    kept = [entry for entry in kept if entry not in gone]
    total = sum(entry.bytes for entry in kept)
    while max_bytes is not None and kept and total > max_bytes:
        oldest = kept.pop(0)
        total -= oldest.bytes
        gone.append(oldest)
    for entry in gone:
        shutil.rmtree(entry.path) if entry.path.is_dir() else entry.path.unlink()
        entry.path.with_name(f"{entry.path.name}.lock").unlink(missing_ok=True)
    return gone


def _folder(stage: str) -> Path:
    folder = root() / stage
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot write the cache folder {folder}: {error.strerror}",
            next="set EDGEKIT_CACHE to a writable folder",
        ) from None
    return folder


def _whole(path: Path) -> bool:
    """True where the entry is complete and no file changed since; a damaged one is removed."""
    if not path.is_dir():
        return False
    record = _read(path)
    if record is not None and all(_intact(path / name, facts) for name, facts in record["files"].items()):
        os.utime(path / _RECORD)  # last used: now
        return True
    console.warn(f"a cached result was damaged and is made again ({path.parent.name})")
    discard(path)
    return False


def _intact(path: Path, facts: Mapping[str, Any]) -> bool:
    try:
        stat = path.stat()
    except OSError:
        return False
    if stat.st_size != facts["size"]:
        return False
    return bool(stat.st_mtime_ns == facts["mtime_ns"] or file_digest(path) == facts["sha256"])


def _record(folder: Path, key: Mapping[str, Any], what: str) -> None:
    files = {}
    for path in _files(folder):
        stat = path.stat()
        files[path.relative_to(folder).as_posix()] = {
            "size": stat.st_size,
            "mtime_ns": stat.st_mtime_ns,
            "sha256": file_digest(path),
        }
    write_atomic(folder / _RECORD, json.dumps({"what": what, "key": dict(key), "files": files}, indent=1))


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        return record if isinstance(record["files"], dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    else:
        yield from (found for found in sorted(path.rglob("*")) if found.is_file() and found != path / _RECORD)


def _clear(home: Path, name: str) -> None:
    """Remove what a killed build of the same thing left; its lock is ours, so nobody is writing there."""
    for leftover in home.glob(f".{name}.*"):
        shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def _memo() -> Iterator[dict[str, str]]:
    """The digest memo: read at the start, written back if it grew. A lost memo only costs time."""
    path = root() / "digests.json"
    try:
        memo = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        memo = {}
    if not isinstance(memo, dict):
        memo = {}
    before = len(memo)
    yield memo
    if len(memo) != before:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, json.dumps(dict(list(memo.items())[-20000:])))
        except OSError as error:
            console.detail(f"the digest memo could not be written: {error}")


def _memoised(path: Path, memo: dict[str, str]) -> str:
    stat = path.stat()
    key = f"{path.absolute()}|{stat.st_size}|{stat.st_mtime_ns}|{stat.st_ino}"
    if key not in memo:
        memo[key] = file_digest(path)
    return memo[key]
