"""Arrays on disk: the same bytes for the same arrays, and nothing unpickled."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runtimes import Program

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


@pytest.mark.tools
def test_the_runner_reads_numpy_s_files_and_numpy_the_runner_s(
    runner: Path, tensor_bundle: Path, tmp_path: Path
) -> None:
    """A file that numpy.savez wrote goes in; the outputs, of three types, come out as numpy reads them."""
    feed = np.ones((1, 3, 8, 8), np.float32)
    np.savez(tmp_path / "in.npz", **{"0.x": feed})
    paths = {"inputs": str(tmp_path / "in.npz"), "outputs": str(tmp_path / "out.npz")}
    assert "error" not in Program((str(runner),)).act("tensors", tensor_bundle, **paths).outcome
    with np.load(tmp_path / "out.npz") as outputs:
        assert {name: str(outputs[name].dtype) for name in outputs.files} == {
            "0.best": "int64",
            "0.scores": "float32",
            "0.sure": "bool",
        }
    with zipfile.ZipFile(tmp_path / "out.npz") as archive:
        assert archive.testzip() is None


@pytest.mark.tools
@pytest.mark.parametrize(
    ("how", "says"), [("deflated", "compressed"), ("fortran", "Fortran"), ("big-endian", "type >f4"), ("cut", "early")]
)
def test_what_the_runner_does_not_read_it_names(
    runner: Path, tensor_bundle: Path, tmp_path: Path, how: str, says: str
) -> None:
    path = tmp_path / "in.npz"
    array = np.arange(192, dtype=np.float32).reshape(1, 3, 8, 8)
    if how == "deflated":
        np.savez_compressed(path, **{"0.x": array})
    elif how == "fortran":
        np.savez(path, **{"0.x": np.asfortranarray(array)})
    elif how == "big-endian":
        np.savez(path, **{"0.x": array.astype(">f4")})
    else:
        header = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 8, 8), }"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("0.x.npy", header.ljust(127) + b"\n" + bytes(40))
    asked = {"inputs": str(path), "outputs": str(tmp_path / "out.npz")}
    error = Program((str(runner),)).act("tensors", tensor_bundle, **asked).error
    assert error["code"] == "bundle" and says in error["message"]
