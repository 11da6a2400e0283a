"""Reports as files: one module for each format, with SUFFIX, TITLE and render(reports) -> text.

Every format takes any number of reports: of many devices, of many bundles.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from edgekit import registry
from edgekit.contract.result import Report
from edgekit.data import nearest
from edgekit.errors import UsageError


def names() -> list[str]:
    """The formats, sorted."""
    return registry.members("edgekit.report.formats")


def load(name: str) -> ModuleType:
    """The module of a format.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in names():
        raise UsageError(f"unknown format {name!r}{nearest(name, names())}", next=f"one of: {', '.join(names())}")
    return registry.member("edgekit.report.formats", name)


def by_suffix(path: Path) -> str:
    """The format that a file's ending asks for.

    Raises:
        UsageError: none has it.
    """
    known = {load(name).SUFFIX: name for name in names()}
    if path.suffix.lower() not in known:
        raise UsageError(
            f"{path.name} does not say its format", next=f"end it with {', '.join(sorted(known))}, or give --format"
        )
    return known[path.suffix.lower()]


def render(name: str, reports: Sequence[Report]) -> str:
    """The text of a file in a format."""
    text: str = load(name).render(reports)
    return text
