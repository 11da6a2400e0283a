"""A child's own account of what it used: the files of edgekit that it loaded or opened, and the packages it imported.

Whoever keeps its work compares that with what the key of the work covers (edgekit.code).
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgekit.files import PACKAGE
from edgekit.start import IMPORTS
from edgekit.wrappers.python import protocol
from edgekit.wrappers.python.protocol import Emit as Emit

_opened: set[str] = set()


def serve(handler: Callable[[dict[str, Any], Emit], dict[str, Any]], request: Path) -> int:
    """As protocol.serve; the outcome also has the account, as "used"."""

    def accounted(asked: dict[str, Any], emit: Emit) -> dict[str, Any]:
        return {**handler(asked, emit), "used": account()}

    return protocol.serve(accounted, request)


def account() -> dict[str, list[str]]:
    """So far: files below the package, and the top-level modules of others."""
    loaded = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    files = {_source(path) for path in (*_opened, *loaded) if isinstance(path, str)}
    home = PACKAGE.resolve()
    others = {name.partition(".")[0] for name in list(sys.modules)} - sys.stdlib_module_names
    return {
        "files": sorted(path.relative_to(home).as_posix() for path in files if path.is_relative_to(home)),
        "modules": sorted(name for name in others if name not in ("__main__", "edgekit")),
    }


def _source(path: str) -> Path:
    if path.endswith(".pyc") and "__pycache__" in path:
        path = importlib.util.source_from_cache(path)
    return Path(path).resolve()


def _watch(event: str, args: tuple[Any, ...]) -> None:
    """An audit hook: whatever opens a file, and whichever way, passes here."""
    if event != "open" or not isinstance(args[0], str):
        return
    if not args[0].startswith(os.sep) or PACKAGE.name in args[0]:
        with suppress(OSError):  # a working folder that was removed
            _opened.add(str(Path(args[0]).absolute()))


if IMPORTS in os.environ:  # a child of ours
    sys.addaudithook(_watch)
