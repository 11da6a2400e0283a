"""Arrays on disk: the same bytes for the same arrays, and nothing unpickled."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.engines.wrappers.runtimes import Program


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
