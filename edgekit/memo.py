"""What is cheap to lose and slow to find out again, in one JSON file: read at the start, written back if it grew.

It carries its own digest: half of a write, a bit that fell over or another program's text is no memo.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgekit import console, data


@contextmanager
def kept(path: Path, most: int) -> Iterator[dict[str, Any]]:
    """A memo of `most` entries; a lost one only costs time."""
    memo = _read(path)
    before = len(memo)
    yield memo
    if len(memo) != before:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            data.write_atomic(path, _text(dict(list(memo.items())[-most:])))
        except OSError as error:
            console.detail(f"the memo {path.name} could not be written: {error}")


def _read(path: Path) -> dict[str, Any]:
    """What is there; what cannot be what was written is set aside, whatever it is."""
    if not path.exists() and not path.is_symlink():
        return {}
    try:
        if not path.is_file():  # a pipe, or a device that never ends, would be read for ever
            raise ValueError
        whole = json.loads(path.read_text(encoding="utf-8"))
        if whole["sha256"] != data.digest(whole["known"]):
            raise ValueError
        known: dict[str, Any] = {**whole["known"]}
    except FileNotFoundError:  # another process has set it aside, or replaced it
        return {}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        _set_aside(path)
        return {}
    return known


def _set_aside(path: Path) -> None:
    away = path.with_name(f"{path.name}.damaged")
    console.warn(f"{path} is damaged and set aside as {away.name}: what it held is found out again")
    try:
        if away.is_dir() and not away.is_symlink():
            away = away.with_name(f"{away.name}.{secrets.token_hex(4)}")
        path.replace(away)
    except OSError as error:
        console.detail(f"{path} could not be set aside: {error}")


def _text(known: dict[str, Any]) -> str:
    return json.dumps({"sha256": data.digest(known), "known": known})
