"""The schemas on disk are those of the models, and they say what strict reading says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit import schemas

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", sorted(schemas.MODELS))
def test_the_committed_schema_is_the_generated_one(name: str) -> None:
    committed = json.loads((schemas.FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert committed == schemas.generate()[name], "a model changed: review it, then run `make schemas`"


def test_no_schema_is_left_of_a_model_that_is_gone() -> None:
    assert {path.stem for path in schemas.FOLDER.glob("*.json")} == set(schemas.MODELS)


@pytest.mark.parametrize("name", sorted(schemas.MODELS))
def test_unknown_keys_are_refused_at_the_top(name: str) -> None:
    assert schemas.generate()[name]["additionalProperties"] is False


def test_writing_gives_the_committed_files(tmp_path: Path) -> None:
    schemas.write(tmp_path)
    for name in schemas.MODELS:
        assert (tmp_path / f"{name}.json").read_bytes() == (schemas.FOLDER / f"{name}.json").read_bytes()
