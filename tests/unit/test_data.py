"""Canonical JSON, digests and atomic files: what the identity of bundles and cache entries rests on."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edgekit import data

pytestmark = pytest.mark.unit

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


class Point(data.Strict):
    x: int
    label: str | None = None


@given(JSON)
def test_canonical_json_reads_back_as_it_was(value: Any) -> None:
    try:
        text = data.canonical(value)
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8
        return
    assert json.loads(text) == value


@given(st.dictionaries(st.text("abcde", min_size=1), st.integers(), min_size=2))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    backwards = dict(reversed(value.items()))
    assert data.digest(value) == data.digest(backwards)


def test_the_digest_is_the_sha256_of_the_canonical_text() -> None:
    assert data.canonical({"b": 1, "a": ["é", None]}) == '{"a":["é",null],"b":1}'.encode()
    assert data.digest({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_json_lacks_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        data.canonical({"value": value})


def test_strict_models_refuse_unknown_keys_and_changes() -> None:
    with pytest.raises(ValidationError, match="extra"):
        Point.model_validate({"x": 1, "y": 2})
    point = Point(x=1)
    with pytest.raises(ValidationError, match="frozen"):
        point.x = 2  # type: ignore[misc]
    assert data.jsonable(point) == {"x": 1}


def test_a_file_digest_is_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abc" * 100_000)
    assert data.file_digest(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_atomic_writing_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text("old")
    data.write_atomic(path, "grüße\n")
    assert path.read_bytes() == "grüße\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f.json"
    path.write_text("old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        data.write_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_pretty_json_ends_with_a_newline_and_sorts_its_keys() -> None:
    assert data.pretty({"b": 1, "a": 2}) == '{\n  "a": 2,\n  "b": 1\n}\n'


def test_the_nearest_word_is_suggested_only_when_it_is_near() -> None:
    assert data.nearest("linux-cpuu", ["linux-cpu", "android-qnn"]) == "; did you mean 'linux-cpu'?"
    assert data.nearest("zzz", ["linux-cpu"]) == ""
