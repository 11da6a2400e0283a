"""What is cheap to lose and slow to find out again, in one JSON file: read at the start, written back if it grew.

A process that asks again reads it again only where the file is another one: it is replaced whole, never written into.
It carries its own digest: half of a write, a bit that fell over or another program's text is no memo.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

from edgekit import console, data

P = ParamSpec("P")

# The stamp of the file that was read, and what was in it.
_read_before: dict[Path, tuple[tuple[int, ...], dict[str, Any]]] = {}


_writing = threading.Lock()
_open = threading.local()  # .memos: those that a thread has open, by their file


@contextmanager
def kept(path: Path, most: int) -> Iterator[dict[str, Any]]:
    """A memo of `most` entries; a lost one only costs time. Within another of the same file it is that one."""
    memos: dict[Path, dict[str, Any]] = _open.__dict__.setdefault("memos", {})
    if path in memos:
        yield memos[path]
        return
    memo = memos[path] = _read(path)
    before = len(memo)
    try:
        yield memo
    finally:
        del memos[path]
    if len(memo) != before:
        with _writing:  # one thread after another: a later one often finds that nothing is missing any more
            _write(path, {**_read(path), **memo}, most)


def _write(path: Path, known: dict[str, Any], most: int) -> None:
    if (before := _read_before.get(path)) and known == before[1] and path.exists():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        data.write_atomic(path, _text(dict(list(known.items())[-most:])))
    except OSError as error:
        console.detail(f"the memo {path.name} could not be written: {error}")


def _read(path: Path) -> dict[str, Any]:
    """What is there; what cannot be what was written is set aside, whatever it is."""
    if not path.exists() and not path.is_symlink():
        return {}
    try:
        if not path.is_file():  # a pipe, or a device that never ends, would be read for ever
            raise ValueError
        stat = path.stat()
        stamp = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        if (before := _read_before.get(path)) and before[0] == stamp:
            return dict(before[1])
        whole = json.loads(path.read_text(encoding="utf-8"))
        if whole["sha256"] != data.digest(whole["known"]):
            raise ValueError
        known: dict[str, Any] = {**whole["known"]}
        _read_before[path] = stamp, dict(known)
    except FileNotFoundError:  # another process has set it aside, or replaced it
        return {}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        _set_aside(path)
        return {}
    return known


def of_tree(answer: Callable[P, dict[str, str]]) -> Callable[P, dict[str, str]]:
    """What depends on its words and the files below its `package` alone is given again while none of these changed."""
    known: dict[Any, dict[str, str]] = {}

    @wraps(answer)
    def asked(*words: P.args, **named: P.kwargs) -> dict[str, str]:
        package = named.get("package") or (answer.__kwdefaults__ or {})["package"]
        key = (words, tuple(sorted(named.items())), frozenset(_tree(str(package))))
        if key not in known:
            known[key] = answer(*words, **named)
        return dict(known[key])

    return asked


def _tree(folder: str) -> Iterator[tuple[str, int, int, int, int]]:
    """Every file below a folder, and what a change of it changes; but for what Python compiled."""
    for entry in os.scandir(folder):
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _tree(entry.path)
        else:
            stat = entry.stat()
            yield entry.path, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _set_aside(path: Path) -> None:
    away = path.with_name(f"{path.name}.damaged")
    console.warn(f"{path} is damaged and set aside as {away.name}: what it held is found out again")
    try:
        if os.path.lexists(away) and (path.is_dir() or away.is_dir()):  # neither takes the other's place
            away = away.with_name(f"{away.name}.{secrets.token_hex(4)}")
        path.replace(away)
    except OSError as error:
        console.detail(f"{path} could not be set aside: {error}")


def _text(known: dict[str, Any]) -> str:
    return json.dumps({"sha256": data.digest(known), "known": known})
