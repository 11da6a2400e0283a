"""safetensors headers: honest ones are read, lying ones are refused in milliseconds."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.errors import SourceError
from edgekit.sources.facts import safetensors
from tests import needs
from tests.unit.sources.tiny_models import layout, safetensors_bytes, save_safetensors

pytestmark = pytest.mark.unit

A = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


def test_reads_what_is_there(tmp_path: Path) -> None:
    path = save_safetensors(tmp_path / "model.safetensors", {"a": (2, 3), "empty": (0, 4), "b": ()}, "F32")
    weights = safetensors.read_header(path)
    assert {name: (one.shape, one.nbytes) for name, one in weights.items()} == {
        "a": ((2, 3), 24),
        "empty": ((0, 4), 0),
        "b": ((), 4),
    }


def test_agrees_with_the_library(tmp_path: Path) -> None:
    library = needs.module("safetensors.numpy")
    import numpy as np

    library.save_file({"x": np.ones((3, 5), np.float16), "y": np.arange(7)}, tmp_path / "m.safetensors")
    weights = safetensors.read_header(tmp_path / "m.safetensors")
    assert {name: (one.dtype, one.shape) for name, one in weights.items()} == {
        "x": ("F16", (3, 5)),
        "y": ("I64", (7,)),
    }


@pytest.mark.parametrize(
    ("header", "size", "message"),
    [
        ({"a": A}, 23, "need 24 bytes of data, the file has 23"),
        ({"a": A}, 25, "need 24 bytes of data, the file has 25"),
        ({"a": A, "b": A}, 24, "gap or overlap"),
        ({"a": {**A, "data_offsets": [8, 32]}}, 32, "gap or overlap"),
        ({"a": {**A, "data_offsets": [24, 0]}}, 24, "takes 24 bytes, its place has -24"),
        ({"a": {**A, "data_offsets": [0, 25]}}, 25, "takes 24 bytes, its place has 25"),
        ({"a": {**A, "data_offsets": [-24, 0]}}, 24, "impossible shape or place"),
        ({"a": {**A, "shape": [2, -3]}}, 24, "impossible shape or place"),
        ({"a": {**A, "shape": [2, 3.0]}}, 24, "impossible shape or place"),
        ({"a": {**A, "shape": [True, 6]}}, 24, "impossible shape or place"),
        ({"a": {**A, "shape": [2**60, 2**60]}}, 24, "impossible shape or place"),
        ({"a": {**A, "shape": [1] * 9}}, 4, "impossible shape or place"),
        ({"a": {**A, "dtype": "PICKLE"}}, 24, "unknown type 'PICKLE'"),
        ({"a": {"dtype": "F32", "shape": []}}, 4, "not dtype, shape and data_offsets"),
        ({"a": [1]}, 0, "not dtype, shape and data_offsets"),
        (b'{"a": 1, "a": 1}', 0, "occurs twice"),
        (b"[1, 2]", 0, "no JSON object"),
        (b"{nonsense", 0, "not readable"),
        (b"\xff\xfe{}", 0, "not readable"),
        (b"[" * 200_000, 0, "not readable"),
    ],
)
def test_lies_are_refused(tmp_path: Path, header: Any, size: int, message: str) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(safetensors_bytes(header, bytes(size)))
    with pytest.raises(SourceError, match=message):
        safetensors.read_header(path)


@pytest.mark.parametrize("content", [b"", b"\x01", b"\xff" * 8, b"\xff" * 7 + b"\x00" + b"{}", bytes(8)])
def test_no_header_at_all(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="damaged"):
        safetensors.read_header(path)


def test_a_huge_header_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    with path.open("wb") as stream:
        stream.write((1 << 32).to_bytes(8, "little"))
        stream.truncate(1 << 33)  # a sparse file
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SourceError, match="10 MB is the limit"):
        safetensors.read_header(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # kB


def test_shards(tmp_path: Path) -> None:
    save_safetensors(tmp_path / "a.safetensors", {"x": (2, 2)})
    save_safetensors(tmp_path / "b.safetensors", {"y": (3,)})
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}))
    assert set(safetensors.read_folder(tmp_path)) == {"x", "y"}
    (tmp_path / "b.safetensors").unlink()
    with pytest.raises(SourceError, match=r"the shard b\.safetensors is missing"):
        safetensors.read_folder(tmp_path)
    index.write_text(json.dumps({"weight_map": {"x": "a.safetensors", "z": "a.safetensors"}}))
    with pytest.raises(SourceError, match="lacks the tensor 'z'"):
        safetensors.read_folder(tmp_path)


@pytest.mark.parametrize("name", ["../a.safetensors", "/a.safetensors", "x/a.safetensors", "", "..", "x\\a", 3])
def test_a_shard_outside_the_folder(tmp_path: Path, name: Any) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    save_safetensors(tmp_path / "a.safetensors", {"x": (2, 2)})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": name}}))
    with pytest.raises(SourceError, match="outside its folder"):
        safetensors.read_folder(folder)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entry=JSON, dtype=JSON, shape=JSON, offsets=JSON, data=st.binary(max_size=64))
def test_any_header_is_read_or_a_source_error(
    tmp_path: Path, entry: Any, dtype: Any, shape: Any, offsets: Any, data: bytes
) -> None:
    honest, _ = layout({"a": (2, 3)}, "F32")
    twisted = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
    for header in (
        {"x": entry},
        {**honest, "x": twisted},
        {"a": {**A, "shape": shape}},
        {"a": {**A, "dtype": dtype}},
    ):
        path = tmp_path / "m.safetensors"
        path.write_bytes(safetensors_bytes(header, data))
        try:
            weights = safetensors.read_header(path)
        except SourceError as error:
            assert "\n" not in error.message and len(error.message) < 400
        else:
            assert sum(one.nbytes for one in weights.values()) == len(data)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_source_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(SourceError):
        safetensors.read_header(path)
