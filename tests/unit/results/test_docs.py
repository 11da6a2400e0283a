"""docs/metrics.md: its tables are the entries of results/metrics.py."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from edgekit.results import metrics as m

pytestmark = pytest.mark.unit

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("metric_tables", DOCS / "tables.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_that_of_the_entries(tables: ModuleType) -> None:
    text = tables.PAGE.read_text(encoding="utf-8")
    assert tables.page(text) == text, "a metric changed: run make docs, and read the page"
    assert sum(f"| `{name}" in text for name in m.METRICS) == len(m.METRICS)


def test_a_page_that_lags_behind_is_found(tables: ModuleType) -> None:
    text = tables.PAGE.read_text(encoding="utf-8")
    assert tables.page(text.replace(m.KL_MEAN.what, "something else")) == text
