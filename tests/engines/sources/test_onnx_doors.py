"""Every form of ONNX model that people bring, and the facts it opens with; each also runs in ONNX Runtime."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest

from edgekit import commands
from edgekit.bundle.verify import verify
from edgekit.sources import open_source
from edgekit.sources.facts.onnx_graph import external_files
from tests.unit.sources import odd_graphs as graphs

pytestmark = pytest.mark.runtimes

NEWEST = onnx.defs.onnx_opset_version()
Tensors = list[tuple[str, str, tuple[Any, ...]]]
F = "float32"

TABLE: dict[str, tuple[Callable[[Path], Path], Tensors, Tensors, dict[str, Any]]] = {
    "opset 9, weights among the inputs": (
        graphs.opset(9),
        [("x", F, ("n", 16))],
        [("y", F, ("n", 8))],
        {"opset": 9, "parameters": 136, "weight_bytes_by_op": {"Gemm": 544}},
    ),
    "a folder with external data in a folder": (
        graphs.external_folder,
        [("x", F, ("n", 16))],
        [("y", F, ("n", 32))],
        {"parameters": 544, "weight_bytes_by_op": {"Add": 128, "MatMul": 2048}},
    ),
    "NCHW": (graphs.nchw, [("image", F, (1, 3, 32, 32))], [("y", F, (1, 4, 32, 32))], {"parameters": 108}),
    "NHWC, names with a colon": (
        graphs.nhwc,
        [("input_1:0", F, ("unk__1", 32, 32, 3))],
        [("Identity:0", F, ("unk__2", 32, 32, 4))],
        {"parameters": 108},
    ),
    "inputs of int64, int32, uint8 and bool": (
        graphs.integers,
        [("ids", "int64", ("n", "t")), ("mask", "int32", ("n", "t")), ("bytes", "uint8", (8,)), ("on", "bool", ())],
        [("y", F, ("n", "t", 8))],
        {"dtype": F},
    ),
    "odd names": (
        graphs.odd_names,
        [("input:0", F, (2, 3)), ("a/b.c d", F, (2, 3))],
        [("输出 1", F, (2, 3))],
        {"parameters": 0},
    ),
    "subgraphs": (graphs.subgraphs, [("x", F, (4,))], [("y", F, (4,))], {"weight_bytes_by_op": {"Loop": 9, "Mul": 16}}),
    "state": (
        graphs.state,
        [("x", F, (1, 3)), ("h", F, (1, 1, 4))],
        [("y", F, (1, 4)), ("hn", F, (1, 1, 4))],
        {"weight_bytes_by_op": {"GRU": 336, "Squeeze": 16, "Unsqueeze": 8}},
    ),
    "several inputs and outputs, one with a default": (
        graphs.many,
        [("a", F, ("n", 3)), ("b", F, ("n", 3))],
        [("s", F, ("n", 3)), ("p", F, ("n", 3)), ("top", F, ())],
        {"parameters": 1},
    ),
    "quantized, QDQ": (graphs.qdq, [("x", F, ("n", 16))], [("y", F, ("n", 8))], {"quantized": True}),
    "quantized, 4 bits": (graphs.nbits, [("x", F, ("n", 32))], [("y", F, ("n", 8))], {"quantized": True}),
    "float16": (graphs.half, [("x", "float16", ("n", 16))], [("y", "float16", ("n", 8))], {"dtype": "float16"}),
    "a sparse weight": (graphs.sparse, [("x", F, (8,))], [("y", F, (8,))], {"parameters": 4}),
    "a local function": (graphs.function, [("x", F, ("n",))], [("y", F, ("n",))], {}),
    "text": (graphs.strings, [("word", "str", ("n",))], [("id", "int64", ("n",))], {}),
    "sizes nobody knows": (
        graphs.unknown_sizes,
        [("x", F, (None, None, 4))],
        [("y", F, (None, None, 4))],
        {},
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_form_of_onnx_opens_with_its_facts(tmp_path: Path, name: str) -> None:
    make, inputs, outputs, facts = TABLE[name]
    source = open_source(str(make(tmp_path)))
    model = source.model
    assert source.form == "onnx" and model.kind == "tensor"
    assert [(one.name, one.dtype, one.shape) for one in model.inputs] == inputs
    assert [(one.name, one.dtype, one.shape) for one in model.outputs] == outputs
    expected = {"quantized": False, "opset": 17, **facts}
    assert {key: getattr(model, key) for key in expected} == expected
    session = onnxruntime.InferenceSession(str(source.path), providers=["CPUExecutionProvider"])
    assert {one.name for one in session.get_inputs()} == {one.name for one in model.inputs}


@pytest.mark.parametrize("opset", range(7, NEWEST + 1))
def test_every_opset_from_7_on(tmp_path: Path, opset: int) -> None:
    assert open_source(str(graphs.opset(opset)(tmp_path))).model.opset == opset


def test_a_quantized_model_is_kept_as_it_is_and_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = graphs.qdq_external(tmp_path)
    words = ["build", str(path), "--target", "linux-cpu", "-o", str(tmp_path / "out"), "--quality", "off", "--json"]
    assert commands.main([*words, "--dry-run"]) == 0
    step = json.loads(capsys.readouterr().out)["data"]["plans"][0]["steps"][0]
    assert step["name"] == "keep" and "the model is already quantized: kept as it is" in step["reason"]
    assert commands.main(words) == 0
    built = Path(json.loads(capsys.readouterr().out)["data"]["bundles"][0]["path"])
    assert (built / "model/portable/model.onnx").read_bytes() == path.read_bytes()
    assert (built / "model/portable/weights/w.bin").read_bytes() == (tmp_path / "weights/w.bin").read_bytes()
    assert verify(built) == []


def test_the_external_files_of_every_tensor_are_named(tmp_path: Path) -> None:
    assert external_files(graphs.external_folder(tmp_path) / "model.onnx") == ["weights/all.bin"]
    (tmp_path / "weights" / "all.bin").unlink()
    assert external_files(tmp_path / "model.onnx") == ["weights/all.bin"], "also of what is not there yet"
    assert external_files(graphs.nchw(tmp_path)) == []
