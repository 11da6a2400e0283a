"""Arrays on disk: the same bytes for the same arrays, and nothing unpickled."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.wrappers.python import npz

ARRAYS: dict[str, Any] = {
    "0.x": np.arange(6, dtype=np.float32).reshape(2, 3),
    "half": np.array([1.5, -0.1, np.inf, np.nan], dtype=np.float16),
    "double": np.array(2.5),
    "ids": np.array([1, -1, 2**40], dtype=np.int64),
    "bytes": np.array([[0, 255]], dtype=np.uint8),
    "flags": np.array([True, False]),
    "words": np.array(["a", "语", ""]),
    "text": np.array('{"ep": "cpu"}'),
    "none": np.zeros((0, 4), dtype=np.int32),
    "wide": np.array([1, 2], dtype=np.uint64),
}


@pytest.mark.unit
def test_what_is_written_is_read(tmp_path: Path) -> None:
    npz.write(tmp_path / "a.npz", ARRAYS)
    found = npz.read(tmp_path / "a.npz")
    assert list(found) == sorted(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.unit
def test_the_bytes_depend_on_the_arrays_only(tmp_path: Path) -> None:
    npz.write(tmp_path / "a.npz", ARRAYS)
    backwards = {name: np.array(array, order="F") for name, array in reversed(ARRAYS.items())}
    npz.write(tmp_path / "b.npz", backwards)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.unit
def test_pickles_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", evil=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        npz.read(tmp_path / "a.npz")
    with pytest.raises(ValueError, match="pickle"):
        npz.write(tmp_path / "b.npz", {"evil": np.array([{}], dtype=object)})


@pytest.mark.unit
@pytest.mark.parametrize("damage", ["cut", "byte", "text", "empty"])
def test_damage_is_a_value_error(tmp_path: Path, damage: str) -> None:
    npz.write(tmp_path / "a.npz", ARRAYS)
    raw = (tmp_path / "a.npz").read_bytes()
    changed = {"cut": raw[:-40], "byte": raw[:150] + b"\xff" + raw[151:], "text": b"hello", "empty": b""}
    (tmp_path / "a.npz").write_bytes(changed[damage])
    with pytest.raises((ValueError, OSError)):
        npz.read(tmp_path / "a.npz")
