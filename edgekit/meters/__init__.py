"""What a run cost in joules: one file per sensor, found by asking each whether its sensor is there.

A meter is a module here with `found(reader) -> Meter | Missing`; the order of preference is that of the grades. It
reads and adds up; what a figure means for a budget is the report's matter. A figure is one of three things:

    measured       joules, with the sensor's name and grade
    not-measured   there is no sensor, or it went away: with the reason, and the line that helps
    invalid        there are joules, but the conditions under which they count were broken
"""

from __future__ import annotations

from types import ModuleType

from edgekit import registry
from edgekit.meters._power import (
    Energy,
    Meter,
    Missing,
    PowerSample,
    net,
    not_measured,
)
from edgekit.reading import Reader

__all__ = [
    "Energy",
    "Meter",
    "Missing",
    "PowerSample",
    "find",
    "meters",
    "net",
    "not_measured",
]


def find(reader: Reader) -> tuple[list[Meter], dict[str, Missing]]:
    """The meters that work on a machine, the best first, and why each of the others does not, by name."""
    there: list[Meter] = []
    missing: dict[str, Missing] = {}
    for name, module in meters().items():
        answer = module.found(reader)
        if isinstance(answer, Missing):
            missing[name] = answer
        else:
            there.append(answer)
    return sorted(there, key=lambda meter: meter.grade), missing


def meters() -> dict[str, ModuleType]:
    """The meters by name: the files here that have a `found`."""
    names = registry.members("edgekit.meters")
    modules = {name: registry.member("edgekit.meters", name) for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "found")}
