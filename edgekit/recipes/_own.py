"""A recipe's own code: its file, and those beside it that a user's recipe imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from edgekit import data
from edgekit.code import imports, sha256_of


def with_neighbours(path: Path) -> str:
    """The digest of a user's own .py file and of the files beside it that it imports, at whatever depth."""
    digests: dict[str, str] = {}
    todo = [path]
    while todo:
        file = todo.pop()
        if str(file) in digests:
            continue
        source = file.read_bytes()
        digests[str(file)] = sha256_of(source)
        with suppress(SyntaxError, ValueError):  # whoever loads it will say so
            for name in imports(ast.parse(source), ("",)):
                todo += _beside(path.parent, name.strip("."))
    return next(iter(digests.values())) if len(digests) == 1 else data.digest(sorted(digests.values()))


def _beside(folder: Path, name: str) -> Iterator[Path]:
    """The files of a module beside a user's own, if it is one."""
    place = folder.joinpath(*name.split("."))
    yield from (path for path in (place.parent / f"{place.name}.py", place / "__init__.py") if name and path.is_file())
