"""Modules by name and data files: one door each, and what goes through it is written out where it is asked for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit import files, registry

pytestmark = pytest.mark.unit

PACKAGE = Path(files.__file__).parent
# Copied into bundles, where there is no edgekit: they import engines by name.
# The last two run a child's main module.
FREE = (PACKAGE / "registry.py", PACKAGE / "wrappers", PACKAGE / "start.py", PACKAGE / "jobs" / "warm.py")
BY_NAME = {"import_module", "iter_modules", "walk_packages", "spec_from_file_location", "run_module", "__import__"}
LITERAL = ("registry.members", "registry.member", "files.resource")


def _calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def _wrong(path: Path) -> list[str]:
    """The calls of a file that load by name, or go through a door with a name that nobody can read."""
    found = []
    for name, call in _calls(path):
        if name.rpartition(".")[2] in BY_NAME or name.startswith("importlib.resources"):
            found.append(f"{path.name}:{call.lineno}: {name}")
        if name in LITERAL and not (call.args and isinstance(call.args[0], ast.Constant)):
            found.append(f"{path.name}:{call.lineno}: {name} of no literal")
    return found


def test_nothing_else_loads_by_name() -> None:
    checked = [path for path in PACKAGE.rglob("*.py") if not any(path.is_relative_to(free) for free in FREE)]
    assert len(checked) > 200
    assert [line for path in checked for line in _wrong(path)] == []


def test_the_rule_can_fail(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text(
        "import importlib\nimportlib.import_module('a')\n__import__('b')\nname = 'edgekit.ep'\n"
        "registry.members(name)\nfiles.resource(name)\nregistry.members('edgekit.ep')\n"
    )
    assert len(_wrong(path)) == 4


def test_whatever_is_asked_for_is_there() -> None:
    asked = [
        call.args[0].value
        for path in PACKAGE.rglob("*.py")
        for name, call in _calls(path)
        if name == "files.resource" and isinstance(call.args[0], ast.Constant)
    ]
    assert len(asked) > 10
    beside = ("targets", "mobile_samples")  # in a checkout; a wheel has them inside
    assert [one for one in asked if one not in beside and not files.resource(str(one)).exists()] == []


def test_members_are_a_packages_public_modules() -> None:
    assert "int4_rtn" in registry.members("edgekit.recipes") and "_olive" not in registry.members("edgekit.recipes")
    assert registry.member("edgekit.recipes", "keep").KIND == "tensor"


def test_a_file_that_is_no_module_is_none(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("VALUE = 7\n")
    own = registry.from_file(tmp_path / "own.py", "own")
    assert own is not None and own.VALUE == 7
    assert registry.from_file(tmp_path / "absent.py", "own") is None
    assert registry.from_file(tmp_path / "no.txt", "own") is None
