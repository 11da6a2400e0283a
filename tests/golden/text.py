"""Golden files: one text for one data, short enough to be reviewed, and what is said where one differs."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
WRITE = "make golden"
WIDTH = 120  # columns; what fits stands on one line
SHOWN = 80  # lines of a difference


def text(data: Any) -> str:
    """JSON with sorted keys, where a list or an object that fits into a line stands on one."""
    return _lines(data, "", 0) + "\n"


def _lines(data: Any, indent: str, taken: int) -> str:
    flat = json.dumps(data, sort_keys=True, ensure_ascii=False, allow_nan=False)
    if not data or not isinstance(data, dict | list | tuple) or len(indent) + taken + len(flat) < WIDTH:
        return flat
    deeper = indent + "  "
    if isinstance(data, dict):
        keys = {key: json.dumps(key, ensure_ascii=False) + ": " for key in sorted(data)}
        parts = [f"{deeper}{word}{_lines(data[key], deeper, len(word) + 1)}" for key, word in keys.items()]
        return "{\n" + ",\n".join(parts) + f"\n{indent}}}"
    return "[\n" + ",\n".join(deeper + _lines(part, deeper, 1) for part in data) + f"\n{indent}]"


def like(data: dict[str, Any], base: dict[str, Any], name: str) -> dict[str, Any]:
    """`data` as what differs from `base`, which is shown in full under `name`; dotted paths, list items by number."""
    ours, theirs = _flat(data), _flat(base)
    but = {path: value for path, value in ours.items() if path not in theirs or theirs[path] != value}
    gone = sorted(set(theirs) - set(ours))
    return {"like": name, "but": but} | ({"without": gone} if gone else {})


def _flat(data: Any, at: str = "") -> dict[str, Any]:
    """Leaves by dotted path; a list of plain values is a leaf."""
    if isinstance(data, dict) and data:
        parts = data.items()
    elif isinstance(data, list) and any(isinstance(part, dict | list) for part in data):
        parts = enumerate(data)  # type: ignore[assignment]
    else:
        return {at: data}
    found = {}
    for key, value in parts:
        found |= _flat(value, f"{at}.{key}" if at else str(key))
    return found


def difference(files: dict[str, str], name: str) -> str:
    """What is wrong with the golden file of this name, "" where it is what `files` says."""
    path = FOLDER / name
    if not path.is_file():
        return f"there is no tests/golden/{name}: write it with `{WRITE}` and review it"
    golden = path.read_text(encoding="utf-8")
    if golden == files[name]:
        return ""
    lines = list(difflib.unified_diff(golden.splitlines(), files[name].splitlines(), "golden", "now", lineterm="", n=4))
    left = [f"... and {len(lines) - SHOWN} lines more"] if len(lines) > SHOWN else []
    told = f"tests/golden/{name} differs: if the change is meant, write it with `{WRITE}` and review the diff"
    return "\n".join([told, *lines[:SHOWN], *left])


def stale(files: dict[str, str], folder: str) -> list[str]:
    """The files of a folder below tests/golden/ that no case writes any more."""
    found = [path.relative_to(FOLDER).as_posix() for path in (FOLDER / folder).rglob("*") if path.is_file()]
    return sorted(set(found) - set(files))


def write(files: dict[str, str], folder: str) -> list[str]:
    """Make a folder of golden files what `files` says; returns the names that changed."""
    gone = stale(files, folder)
    for name in gone:
        (FOLDER / name).unlink()
    changed = [name for name in files if difference(files, name)]
    for name in changed:
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[name], encoding="utf-8", newline="\n")
    return sorted(changed + gone)
