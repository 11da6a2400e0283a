"""What the cache holds: for people who look, and for what removes the oldest of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekit.cache import RECORD, STAGES, files_of, record, root


@dataclass(frozen=True)
class EntryInfo:
    """One line of `edgekit cache show`."""

    stage: str
    key: str
    what: str
    bytes: int
    last_used: float
    path: Path


def entries() -> list[EntryInfo]:
    """Every whole result and download, and what killed builds began; least recently used first."""
    listed = []
    for stage in (*STAGES, "begun", "downloads"):
        for path in sorted((root() / stage).glob("*")):
            if path.name.startswith(".") or path.suffix == ".lock":
                continue
            known = record(path) or {}
            used = max(path.lstat().st_mtime, (path / RECORD).stat().st_mtime if known else 0)
            size = sum(item.stat().st_size for item in files_of(path))
            listed.append(EntryInfo(stage, path.name, str(known.get("what", "")), size, used, path))
    return sorted(listed, key=lambda entry: entry.last_used)
