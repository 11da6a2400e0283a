"""What is planned, or refused, for every target, kind of model and recipe is what tests/golden/plans says."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit import target
from tests.golden import plans, text

pytestmark = pytest.mark.unit
SHARED = ("_passes", "_phi", "_recipes", "_workflows")


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return plans.files()


@pytest.mark.parametrize("name", [*target.names(), *SHARED])
def test_plans_are_the_golden_ones(name: str, files: dict[str, str]) -> None:
    if wrong := text.difference(files, f"plans/{name}.json"):
        pytest.fail(wrong, pytrace=False)


def test_no_golden_plan_is_left_of_a_target_that_is_gone(files: dict[str, str]) -> None:
    assert text.stale(files, "plans") == [], f"no case writes these any more: `{text.WRITE}` removes them"


def test_a_golden_file_is_named_with_what_writes_it_where_it_lacks_differs_or_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "FOLDER", tmp_path)
    files = {"plans/a.json": text.text({"x": 1}), "plans/b.json": text.text({"x": [1, 2]})}
    assert text.difference(files, "plans/a.json").endswith(
        "tests/golden/plans/a.json: write it with `make golden` and review it"
    )
    assert text.write(files, "plans") == ["plans/a.json", "plans/b.json"]
    assert not text.difference(files, "plans/a.json") and text.stale(files, "plans") == []
    (tmp_path / "plans" / "b.json").write_text('{"x": 2}\n')
    said = text.difference(files, "plans/b.json")
    assert '-{"x": 2}' in said and '+{"x": [1, 2]}' in said and "make golden" in said
    (tmp_path / "plans" / "gone.json").write_text("{}\n")
    assert text.stale(files, "plans") == ["plans/gone.json"]
    assert text.write(files, "plans") == ["plans/b.json", "plans/gone.json"]
    assert text.write(files, "plans") == []


def test_data_like_others_are_what_differs() -> None:
    base = {"a": {"b": 1, "c": [1, 2]}, "d": [{"e": 1}, {"e": 2}]}
    other = {"a": {"b": 1, "c": [1, 3]}, "d": [{"e": 1}], "f": None}
    assert text.like(other, base, "base") == {"like": "base", "but": {"a.c": [1, 3], "f": None}, "without": ["d.1.e"]}
    assert text.like(base, base, "base") == {"like": "base", "but": {}}
