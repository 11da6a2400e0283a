"""Every family whose members are one file each: what a member must have, asked of all there are, by nobody's list.

A new recipe, provider, gate, meter, format, transport, compiler, place of sources, command or target is found by its
file, and held to this unedited.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import click
import pytest

from edgekit import commands, devices, ep, faces, kinds, meters, quality, recipes, registry, target
from edgekit.files import PACKAGE
from edgekit.report import formats
from edgekit.sources import _places

pytestmark = pytest.mark.unit


def takes(function: Any, *names: str) -> bool:
    """Whether it can be called with so many arguments by position."""
    inspect.signature(function).bind(*names)
    return True


def recipe(module: ModuleType) -> bool:
    made = recipes.load(module.__name__.rpartition(".")[2])
    return made.kind in kinds.names()


def provider(module: ModuleType) -> bool:
    name = module.__name__.rpartition(".")[2]
    return name in ("pipeline", "provider") or (module.EP.name == name and bool(module.EP.title and module.EP.source))


def gate(module: ModuleType) -> bool:
    return module.KIND in kinds.names() and bool(module.METRICS) and bool(module.ADVICE) and takes(module.measure, "x")


def kind(module: ModuleType) -> bool:
    name = module.__name__.rpartition(".")[2]
    if name == "variant":
        return True
    its = module.KIND
    parts = (its.bench, its.rule, its.contract.model_construct())
    fields = len(dataclasses.fields(its)) <= 12  # a thirteenth needs two kinds that differ in it
    return fields and its == kinds.of(name) and {name} == {its.name, its.settings.KIND, *(part.kind for part in parts)}


def meter(module: ModuleType) -> bool:
    return not hasattr(module, "found") or takes(module.found, "reader")


def form(module: ModuleType) -> bool:
    return module.SUFFIX.startswith(".") and bool(module.TITLE) and takes(module.render, "reports")


def transport(module: ModuleType) -> bool:
    return module.SCHEME.isalpha() and takes(module.open_device, "address") and takes(module.attached)


def compiler(module: ModuleType) -> bool:
    early, run = takes(module.refuse_early, "target"), takes(module.run, "variant", "model", "target", "fallback")
    return early and run and bool(module.BASIS.roots)


def place(module: ModuleType) -> bool:
    return not hasattr(module, "matches") or (takes(module.matches, "ref") and takes(module.fetch, "ref", "options"))


def rules(module: ModuleType) -> bool:
    return all(rule.name and rule.source.startswith("https://") and takes(rule.faults, "part") for rule in module.RULES)


def face(module: ModuleType) -> bool:
    return isinstance(module.FACE, faces.Face) and bool(module.FACE.files())


def pack(module: ModuleType) -> bool:
    return takes(module.ready, "asked") and takes(module.write, "room", "asked")


def command(module: ModuleType) -> bool:
    return isinstance(module.command, click.Command)


FAMILIES: dict[str, Callable[[ModuleType], bool]] = {
    "edgekit.recipes": recipe,
    "edgekit.kinds": kind,
    "edgekit.ep": provider,
    "edgekit.quality": gate,
    "edgekit.meters": meter,
    "edgekit.report.formats": form,
    "edgekit.devices": transport,
    "edgekit.compile": compiler,
    "edgekit.sources": place,
    "edgekit.commands": command,
    "edgekit.lint": rules,
    "edgekit.faces": face,
    "edgekit.packs": pack,
}
MEMBERS = [(family, name) for family in FAMILIES for name in registry.members(family)]


@pytest.mark.parametrize(("family", "name"), MEMBERS)
def test_a_member_has_what_its_family_asks_for(family: str, name: str) -> None:
    module = registry.member(family, name)
    assert FAMILIES[family](module)
    assert module.__doc__, "its first line says what it is"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_members(family: str) -> None:
    assert registry.members(family)


def test_no_member_is_left_out_of_what_asks_for_them() -> None:
    gates = {name for kind in kinds.names() for name in quality.gates(kind)}
    assert gates == set(registry.members("edgekit.quality"))
    assert {name for kind in kinds.names() for name in recipes.names(kind)} == set(registry.members("edgekit.recipes"))
    assert formats.names() == registry.members("edgekit.report.formats")
    assert commands.names() == registry.members("edgekit.commands")
    assert len(devices.transports()) == len(registry.members("edgekit.devices"))
    assert set(meters.meters()) <= set(registry.members("edgekit.meters"))
    assert {one.__name__.rpartition(".")[2] for one in _places.places()} <= set(registry.members("edgekit.sources"))
    assert set(ep.names()) <= set(registry.members("edgekit.ep"))
    assert target.names() == sorted(path.stem for path in (PACKAGE.parent / "targets").glob("*.toml"))
