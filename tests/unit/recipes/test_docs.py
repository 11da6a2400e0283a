"""docs/recipes.md names every recipe, with its kind and whether it is calibrated, and the defaults of targets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgekit import kinds, recipes
from edgekit.kinds.llm import LlmSettings
from edgekit.kinds.tensor import TensorSettings

pytestmark = pytest.mark.unit
TEXT = (Path(__file__).parents[3] / "docs" / "recipes.md").read_text(encoding="utf-8")
SECTIONS = {title: body for title, _, body in (part.partition("\n") for part in TEXT.split("\n## "))}
WORDS = {"true": True, "false": False, "none: the same": None, "none": ()}


def rows(section: str) -> list[list[str]]:
    """The cells of the tables' rows, without their headings."""
    lines = SECTIONS[section].splitlines()
    inside = [line for line, below in zip(lines, [*lines[1:], ""], strict=True) if not below.startswith("|---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in inside if line.startswith("| ")]


@pytest.mark.parametrize(("section", "kind"), [("Language models", "llm"), ("Other models", "tensor")])
def test_every_recipe_is_there(section: str, kind: str) -> None:
    told = {name: row for row in rows(section) if row[0][0] != "`" for name in row[0].split(", ")}
    assert sorted(told) == sorted(recipes.names(kind))
    for name, row in told.items():
        assert (row[-2] != "none") == recipes.load(name).calibrated, name


@pytest.mark.parametrize(
    ("section", "settings"), [("Language models", LlmSettings()), ("Other models", TensorSettings())]
)
def test_every_setting_has_its_default(section: str, settings: LlmSettings | TensorSettings) -> None:
    found = [(key, row[-1]) for row in rows(section) for key in re.findall(r"^`(\w+)`", row[0])]
    assert len(found) >= 3
    for key, text in found:
        default = getattr(settings, key)
        assert text == "the recipe's" or WORDS.get(text, text) in (default, str(default)), key


def test_the_ladder_is_the_one_that_is_climbed() -> None:
    for candidates in map(recipes.candidates, kinds.names()):
        for one in candidates:
            assert one.recipe in SECTIONS["--recipe auto"], one.recipe
