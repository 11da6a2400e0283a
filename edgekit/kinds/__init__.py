"""The kinds of model, one file each: what a target says of one, what its bundle promises, how it is measured.

A kind's file has KIND, a Kind; its name is the file's. How a model is packed, its form, is another matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from edgekit import registry
from edgekit.data import nearest
from edgekit.kinds._bench import Bench, Runs, Trials, WarmUp
from edgekit.kinds._kind import Built, Contract, Footprint, Generating, Kind, Rule
from edgekit.kinds._settings import Package, Settings
from edgekit.kinds.variant import Form
from edgekit.model import kinds as names

__all__ = [
    "Bench",
    "Built",
    "Contract",
    "Footprint",
    "Form",
    "Generating",
    "Kind",
    "Package",
    "Rule",
    "Runs",
    "Settings",
    "Trials",
    "WarmUp",
    "names",
    "of",
    "union",
]


def of(name: str) -> Kind:
    """The kind of this name; a ValueError says the nearest where there is none."""
    if name not in names():
        raise ValueError(f"unknown kind of model {name!r}{nearest(name, names())}")
    kind: Kind = registry.member("edgekit.kinds", name).KIND
    return kind


@dataclass(frozen=True)
class _Union:
    part: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        parts = (getattr(of(name), self.part) for name in names())
        types = tuple(part if isinstance(part, type) else type(part) for part in parts)
        return handler.generate_schema(Annotated[Union[types], Field(discriminator="kind")])  # noqa: UP007


def union(part: Literal["contract", "bench", "rule"]) -> _Union:
    """Which class of every kind's a field may hold: `bench: Annotated[Bench, union("bench")]`; `kind` says which."""
    return _Union(part)
