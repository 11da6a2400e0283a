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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit import console, engines, store
from edgekit.code import Basis, imported
from edgekit.data import digest, file_digest, write_atomic
from edgekit.digests import Snapshot, digest_of, remembered, unchanged
from edgekit.digests import path_digest as path_digest
from edgekit.digests import root as root
from edgekit.errors import BuildError, UsageError, from_oserror

if TYPE_CHECKING:
    from filelock import FileLock

# What is made from a model again where the gate refuses it; a model that was imported is what the gate compares with.
JUDGED = ("optimize", "compile", "gate")
STAGES = ("import", "trial", "optimize", "compile", "gate", "bundle")
RECORD = "entry.json"


@dataclass(frozen=True)
class Entry:
    """One result: where it lies and whether it was there already."""

    path: Path
    hit: bool


@dataclass
class Session:
    """What one build takes from the cache.

    Attributes:
        refresh: nothing that was not made in this session.
        distrusted: results that are made again although they are whole.
        hits: results that were found, by path, with their stage.
        made: results of this session.
    """

    refresh: bool = False
    distrusted: frozenset[Path] = frozenset()
    hits: dict[Path, str] = field(default_factory=dict)
    made: set[Path] = field(default_factory=set)

    def suspects(self) -> frozenset[Path]:
        """What a build was made of that another made, and the gate has not refused before."""
        return frozenset(
            path
            for path, stage in self.hits.items()
            if stage in JUDGED and path not in self.made and not (record(path) or {}).get("again")
        )


_made_here: set[Path] = set()  # what this process made
_session: ContextVar[Session | None] = ContextVar("edgekit_cache_session", default=None)


@contextmanager
def session(*, refresh: bool = False, distrusted: frozenset[Path] = frozenset()) -> Iterator[Session]:
    """Everything that is taken from the cache until the block is left, and whether it may be."""
    outer = _session.get()
    opened = Session(refresh or bool(outer and outer.refresh), distrusted, made=outer.made if outer else set())
    token = _session.set(opened)
    try:
        yield opened
    finally:
        _session.reset(token)
        for path in opened.made if outer is None else ():
            if (record(path) or {}).get("uncovered"):  # the build is over that it was good for
                discard(path)


@contextmanager
def locked(path: Path, waiting: str) -> Iterator[FileLock]:
    """Hold a lock until the block is left; where another process has it, say so and wait."""
    from filelock import FileLock, Timeout

    lock = FileLock(path, thread_local=False)  # a build goes on in another thread
    try:
        lock.acquire(timeout=0.1)
    except Timeout:
        console.say(f"waiting for another build that {waiting} ...")
        lock.acquire()
    try:
        yield lock
    finally:
        lock.release()


def produce(
    stage: str,
    key: Mapping[str, Any],
    make: Callable[[Path], Mapping[str, Any] | None],
    *,
    what: str = "",
    read: Sequence[Snapshot] = (),
    basis: Basis | None = None,
) -> Entry:
    """The result of a stage: found, or made by `make(folder)` in an empty folder that is then renamed into place.

    Args:
        stage: one of STAGES.
        key: plain JSON; everything the result depends on.
        make: fills the folder it is given, and returns the account of its child (edgekit.used), if it has one; if it
            raises, nothing is kept.
        what: words for `edgekit cache show`.
        basis: what the key covers. A result that used more is taken for once, and not kept.
        read: the files whose digests stand in the key. The result is kept if they are unchanged when it is made.

    Raises:
        SourceError: they are not.
        BuildError: where CI=true, a child used a file of edgekit that the key does not cover.
    """
    name = digest(dict(key))[:32]
    home = folder_of(stage)
    final = home / name
    if _usable(final, stage):
        return Entry(final, True)
    with locked(home / f"{name}.lock", f"makes the same ({stage})"):
        if _usable(final, stage):
            return Entry(final, True)
        _clear(home, name)
        aside = home / f".{name}.{os.getpid()}"
        try:
            aside.mkdir()
            if fetched := _may_fetch(final) and store.fetch(stage, name, aside):
                aside.rename(final)
                if _usable(final, stage):
                    return Entry(final, True)
                aside.mkdir()
            with unchanged(*read):
                used = make(aside)
            notes = _notes(final, what or stage, used, basis)
            _record(aside, key, what, notes)
            _put(aside, final, what or stage)
        except OSError as error:
            raise from_oserror(error, f"writing the {stage} cache") from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    if not notes.get("uncovered"):
        store.push(stage, name, final, replace=fetched)
    return Entry(final, False)


def lookup(stage: str, key: Mapping[str, Any]) -> Path | None:
    """The whole result of this key, if there is one; nothing is made."""
    final = root() / stage / digest(dict(key))[:32]
    return final if _usable(final, stage) else None


def discard(entry: Path) -> None:
    """Forget a result (one found damaged)."""
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)


def folder_of(stage: str) -> Path:
    """Where the results of a stage lie, and what is fetched ("downloads")."""
    folder = root() / stage
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot write the cache folder {folder}: {error.strerror}", next="set EDGEKIT_CACHE to a writable folder"
        ) from None
    return folder


def _usable(final: Path, stage: str) -> bool:
    """True for a whole result that may be taken."""
    opened = _session.get()
    if opened is None or final in opened.made:
        return _whole(final)
    if opened.refresh or final in opened.distrusted or not _whole(final):
        return False
    opened.hits[final] = stage
    return True


def _may_fetch(final: Path) -> bool:
    """True where a result that another machine made will do."""
    opened = _session.get()
    return not final.exists() and (opened is None or not (opened.refresh or final in opened.distrusted))


def _put(aside: Path, final: Path, what: str) -> None:
    """Rename a new result into place; where one is made again, say whether it is another."""
    if (opened := _session.get()) is not None:
        opened.made.add(final)
    _made_here.add(final)
    if final.is_dir():
        console.say(f"{what}: {_compared(record(final), record(aside))}")
        discard(final)
    aside.rename(final)


def _compared(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> str:
    """Where the bytes of two results differ, in words."""
    if old is None or new is None:
        return "made again; what was cached could not be read"
    return compared(*({name: facts["sha256"] for name, facts in one["files"].items()} for one in (old, new)))


def compared(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Where the files of what was made again differ, by their digests, in words."""
    differ = sorted(name for name in {**before, **after} if before.get(name) != after.get(name))
    if not differ:
        return "made again, and equal to what was there"
    more = f" and {len(differ) - 5} more" if len(differ) > 5 else ""
    return f"made again, and differs from what was there in {', '.join(differ[:5])}{more}"


def _whole(path: Path) -> bool:
    """True where the entry is complete and no file changed since; a damaged one is removed."""
    if not os.path.lexists(path):
        return False
    known = record(path)
    if known is not None and known.get("uncovered") and path not in _made_here:
        console.detail(f"made again: what was cached used more than its key covers ({path})")
    elif known is not None and _other_engines(known.get("engines")):
        console.say(f"made again: {known.get('what')} was made with other packages than are installed now")
    elif known is not None and _intact(path, known["files"]):
        os.utime(path / RECORD)  # last used: now
        return True
    else:
        console.warn(f"a cached result was damaged and is made again ({path.parent.name})")
    discard(path)
    return False


def _other_engines(imported: Any) -> bool:
    """True where packages that a result was made with are installed otherwise now."""
    return isinstance(imported, dict) and engines.installed(imported) != imported


def _intact(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> bool:
    """True where a folder holds these files as they were written, and no others."""
    try:
        if {path.relative_to(folder).as_posix() for path in files_of(folder)} != set(files):
            return False
        if any((folder / name).stat().st_size != facts["size"] for name, facts in files.items()):
            return False  # told without reading
        with remembered() as memo:
            return all(digest_of(folder / name, memo) == facts["sha256"] for name, facts in files.items())
    except (OSError, KeyError, TypeError):  # unreadable, or a record that is none
        return False


def _notes(final: Path, what: str, used: Mapping[str, Any] | None, basis: Basis | None) -> dict[str, Any]:
    """What a record says besides: whether the gate refused the one before, what its child imported and used unasked."""
    opened = _session.get()
    notes: dict[str, Any] = {"again": True} if opened is not None and final in opened.distrusted else {}
    if used is None or basis is None:
        return notes
    notes["engines"] = imported(used)
    if strange := basis.uncovered(used):
        problem = f"{what}: its child used {', '.join(strange[:5])}, which its key does not cover"
        if os.environ.get("CI") == "true":
            raise BuildError(problem, next="name the module in edgekit/passes.py, or among the roots of the stage")
        console.warn(f"{problem}: the result is not kept")
        notes["uncovered"] = strange
    return notes


def _record(folder: Path, key: Mapping[str, Any], what: str, notes: Mapping[str, Any]) -> None:
    files = {}
    for path in files_of(folder):
        name = path.relative_to(folder).as_posix()
        files[name] = {"size": path.stat().st_size, "sha256": file_digest(path)}
    write_atomic(folder / RECORD, json.dumps({"what": what, "key": dict(key), "files": files, **notes}, indent=1))


def record(folder: Path) -> dict[str, Any] | None:
    """What an entry says of itself; None where it cannot be read."""
    try:
        told = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return told if isinstance(told["files"], dict) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def files_of(path: Path) -> Iterator[Path]:
    """The files of an entry, but for its record."""
    if path.is_file():
        yield path
    else:
        yield from (found for found in sorted(path.rglob("*")) if found.is_file() and found != path / RECORD)


def _clear(home: Path, name: str) -> None:
    """Remove what a killed build of the same thing left; its lock is ours, so nobody is writing there."""
    refresh = (opened := _session.get()) is not None and opened.refresh  # begun/: what a job goes on with else
    for leftover in (*home.glob(f".{name}.*"), *([root() / "begun" / name] if refresh else [])):
        discard(leftover)
