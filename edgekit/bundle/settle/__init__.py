"""Settle what was built, before it is staged: every graph and config becomes what will be shipped.

How a model is packed (its form) has a file here; what both need of a graph is floor.py. The built folders are entries
of the cache and are only read: a file that is changed or added lies in the build's workspace, the others stay where
they are until `stage` copies them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgekit.bundle import aside
from edgekit.bundle.settle import floor, genai, onnx
from edgekit.bundle.stage import files_of
from edgekit.errors import BuildError
from edgekit.kinds import Built, Contract, Form
from edgekit.sources.facts import traces
from edgekit.sources.source import Source
from edgekit.target import Target


class Packing(Protocol):
    """What the file of a form has."""

    def path(self, inside: str) -> str: ...
    def needs(self, target: Target) -> str | None: ...
    def built(self, folder: Path, inside: str, source: Source) -> Built: ...
    def settle(self, folder: Path, own: Path, inside: str, contract: Contract, source: Source) -> None: ...


FORMS: dict[Form, Packing] = {"genai": genai, "onnx": onnx}


@dataclass(frozen=True)
class Settled:
    """What will be staged.

    Attributes:
        files: each file below model/ by its path in the bundle: an entry of the cache, or the workspace's.
        changes: what was done to graphs, a line each, for people.
    """

    files: dict[str, Path]
    changes: tuple[str, ...]


def settle(
    built: Mapping[str, Path], form: Form, contract: Contract, source: Source, target: Target, work: str, keep: bool
) -> Settled:
    """Settle every variant.

    Args:
        built: by variant, the folder of its built (optimized, compiled) files.
        work: an empty folder of the workspace; keep: graphs keep what they tell of who made them, and where.

    Raises:
        BuildError: a graph that the target's oldest runtime does not load, and that cannot be made so without changing
            what it computes; a full disk.
    """
    files: dict[str, Path] = {}
    changes: list[str] = []
    with aside.writing("settling the model", otherwise=BuildError):
        for variant, folder in built.items():
            inside, own = f"model/{variant}", Path(work) / variant
            own.mkdir()
            FORMS[form].settle(folder, own, inside, contract, source)
            changes += [f"{variant}: {line}" for line in floor.settle(folder / onnx.GRAPH, own, target, contract.kind)]
            changes += [f"{variant}: {line}" for line in traces.settle(folder, own, keep=keep)]
            files |= {f"{inside}/{part}": path for origin in (folder, own) for part, path in files_of(origin)}
    return Settled(files, tuple(changes))
