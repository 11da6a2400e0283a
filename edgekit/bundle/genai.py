"""What a GenAI folder's genai_config.json may make the engine open: files of the bundle, and no code at all.

The engine opens every `filename`, hands `provider_options` to execution providers, which load libraries by them, and
registers `custom_ops_library`. In a bundle of a stranger each of these could run his code, with no word of it in the
manifest.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Collection, Iterator
from typing import Any

from edgekit.bundle import paths
from edgekit.bundle.files import Problem

NAME = "genai_config.json"
MAX_BYTES = 4 << 20
LIBRARY = "custom_ops_library"
OPTIONS = ("session_options", "provider_options", "run_options")


def unsafe(raw: bytes, path: str, there: Collection[str]) -> Iterator[Problem]:
    """What is wrong with the genai_config.json at `path` of a bundle.

    Args:
        there: paths of the files that the bundle has.
    """
    try:
        document = json.loads(raw) if len(raw) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        yield Problem(path, "unsafe", "it is no JSON object of a usual size")
        return
    for key, value, inside in _strings(document):
        shown = f"{key} is {value[:80]!r}"
        if key == LIBRARY:
            yield Problem(path, "unsafe", f"{shown}: a library that the engine would run")
        elif key.endswith("filename"):
            why = paths.why_unsafe(value)
            if why or posixpath.join(posixpath.dirname(path), value) not in there:
                yield Problem(path, "unsafe", f"{shown}: {why or 'the bundle has no such file'}")
        elif inside and paths.is_path(value):
            yield Problem(path, "unsafe", f"the option {shown}: a path, which an engine would open")


def _strings(document: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Every text with its nearest key, and whether it stands among options; lists of tokens and names have none."""
    waiting: list[tuple[str, Any, bool]] = [("", document, False)]
    while waiting:
        key, value, inside = waiting.pop()
        if isinstance(value, dict):
            waiting += [(name, one, inside or name in OPTIONS) for name, one in value.items()]
        elif isinstance(value, list):
            waiting += [(key, one, inside) for one in value]
        elif isinstance(value, str) and value:
            yield key, value, inside
