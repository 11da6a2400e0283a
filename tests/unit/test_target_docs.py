"""docs/targets: every target is described once, and its table is the profile's."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from edgekit import target

pytestmark = pytest.mark.unit

FOLDER = Path(__file__).parents[2] / "docs" / "targets"
PAGES = sorted(FOLDER.glob("*.md"))


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("target_tables", FOLDER / "tables.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_tables_are_those_of_the_profiles(path: Path, tables: ModuleType) -> None:
    text = path.read_text(encoding="utf-8")
    assert tables.page(text) == text, "a profile changed: run python docs/targets/tables.py and read the pages"


def test_every_target_is_described_once(tables: ModuleType) -> None:
    found = Counter(
        name for path in PAGES for match in tables.BLOCK.finditer(path.read_text()) for name in match["names"].split()
    )
    assert found == Counter(target.names())
