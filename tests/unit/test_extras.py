"""A missing extra is an error that names the pip line; the modules tried belong to the extra in pyproject.toml."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from importlib.metadata import PathDistribution, packages_distributions
from pathlib import Path

import pytest

from edgekit import extras
from edgekit.errors import ToolMissing

pytestmark = pytest.mark.unit

PYPROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
DECLARED = PYPROJECT["project"]["optional-dependencies"]
CONSTRAINTS = (Path(__file__).parents[2] / "constraints.txt").read_text(encoding="utf-8")


def plain(requirement: str) -> str:
    """The normalized name of a requirement: "onnx_ir>=0.1" is "onnx-ir"."""
    return re.split(r"[<>=!~;\[ ]", requirement)[0].lower().replace("_", "-")


def test_every_extra_of_the_project_can_be_asked_for() -> None:
    assert set(extras.EXTRAS) == set(DECLARED) - {"test"}


@pytest.mark.parametrize("extra", sorted(extras.EXTRAS))
def test_the_modules_tried_come_from_the_extras_packages(extra: str) -> None:
    known = packages_distributions()
    names = {plain(requirement) for requirement in DECLARED[extra]}
    for module in extras.EXTRAS[extra]:
        if module in known:
            assert {name.lower().replace("_", "-") for name in known[module]} & names, module


def test_every_requirement_has_its_tested_version_in_the_constraints() -> None:
    pinned = {plain(line) for line in CONSTRAINTS.splitlines() if not line.startswith("#")}
    needed = [*PYPROJECT["project"]["dependencies"], *(line for lines in DECLARED.values() for line in lines)]
    assert {plain(line) for line in needed} <= pinned
    assert "+" not in CONSTRAINTS  # a local version such as torch's +cpu is on no public index


def test_a_missing_extra_names_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(extras.EXTRAS, "qnn", ("json", "no_such_module", "no_such.module"))
    assert extras.missing("qnn") == ["no_such_module", "no_such.module"]
    with pytest.raises(ToolMissing, match="no_such_module") as caught:
        extras.require("qnn")
    assert caught.value.next == extras.pip_line("qnn")
    assert caught.value.exit_code == 7


def test_the_core_takes_an_engine_that_the_build_extra_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound stands in pyproject.toml for the extra alone; a later engine is told as one that is missing."""
    (bound,) = (entry for entry in extras.EXTRAS["build"] if "=" in entry)
    assert bound in DECLARED["build"]
    assert not any(sign in line for line in PYPROJECT["project"]["dependencies"] for sign in ("<", "==", "~"))
    for version, absent in (("0.14.1", []), ("0.15.0", [bound]), ("0.18.0", [bound]), ("1.0", [bound])):
        monkeypatch.setattr(extras, "version", lambda name, version=version: version)
        assert [entry for entry in extras.missing("build") if entry == bound] == absent


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        (None, "pip install 'edgekit-ai[qnn]'"),
        ({"url": "file:///a%20b/edgekit", "dir_info": {"editable": True}}, "pip install -e '/a b/edgekit[qnn]'"),
        ({"url": "file:///a/edgekit", "dir_info": {}}, "pip install 'edgekit-ai[qnn] @ file:///a/edgekit'"),
        (
            {"url": "https://host/edgekit", "vcs_info": {"vcs": "git", "commit_id": "0" * 40}},
            "pip install 'edgekit-ai[qnn] @ git+https://host/edgekit'",
        ),
    ],
)
def test_the_pip_line_is_of_where_this_edgekit_came_from(
    origin: dict[str, object] | None, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edgekit that no index has yet is installed from its folder or repository, and so are its extras."""
    if origin is not None:
        (tmp_path / "direct_url.json").write_text(json.dumps(origin))
    monkeypatch.setattr(extras, "distribution", lambda name: PathDistribution(tmp_path))
    assert extras.pip_line("qnn") == line


def test_the_readme_names_each_extra() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert "pip install -c constraints.txt -e '.[build]'" in readme
    assert not {extra for extra in extras.EXTRAS if f"`{extra}`" not in readme}


def test_looking_for_an_extra_imports_none_of_it() -> None:
    before = {"torch", "olive", "transformers"} & set(sys.modules)
    extras.missing("build")
    assert {"torch", "olive", "transformers"} & set(sys.modules) == before
