"""Forms of ONNX models that once stopped a build, through the whole of it; their facts are in tests/unit/sources."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgekit import commands
from edgekit.bundle.read import read
from tests.unit.sources import odd_graphs as graphs

pytestmark = pytest.mark.olive

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


@pytest.mark.parametrize(
    ("make", "recipe"),
    [
        pytest.param(graphs.opset(9), "int8_dynamic", id="opset 9, weights among the inputs"),
        pytest.param(graphs.external_folder, "int8_dynamic", id="external data in a folder"),
    ],
)
def test_it_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Path], recipe: str) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "model").mkdir()
    path = make(tmp_path / "model")
    assert commands.main(["build", str(path), "--target", "linux-cpu", "-o", str(tmp_path / "out"), "-q"]) == 0
    (built,) = [one for one in (tmp_path / "out").iterdir() if one.is_dir()]
    manifest = read(built)
    assert manifest.recipe.name == recipe and manifest.judged.verdict == "pass"
    model = onnx.load(str(built / manifest.variants[0].path), load_external_data=False)
    assert {one.name for one in model.graph.input} == {one.name for one in manifest.model.inputs}


def half(folder: Path) -> Path:
    """Two matrix products with float16 weights, which no quantizer of ONNX Runtime takes."""
    rng = np.random.default_rng(0)
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "w1"], ["a"]),
        onnx.helper.make_node("Relu", ["a"], ["b"]),
        onnx.helper.make_node("MatMul", ["b", "w2"], ["y"]),
    ]
    weights = [
        onnx.numpy_helper.from_array((rng.standard_normal(shape) / 8).astype(np.float16), name)
        for name, shape in (("w1", (64, 128)), ("w2", (128, 32)))
    ]
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT16, [1, size])
        for name, size in (("x", 64), ("y", 32))
    ]
    graph = onnx.helper.make_graph(nodes, "half", ends[:1], ends[1:], weights)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "half.onnx"))
    return folder / "half.onnx"


def test_a_float16_model_is_kept_and_never_called_int8(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    words = ["build", str(half(tmp_path)), "--target", "linux-cpu", "-o", str(tmp_path / "out"), "-q"]
    assert commands.main([*words, "--recipe", "int8_dynamic"]) == 4
    assert "has float16 weights, quantizers take float32" in capfd.readouterr().err
    assert not list((tmp_path / "out").glob("*/edgekit.json"))
    assert commands.main(words) == 0
    manifest = read(tmp_path / "out" / "half-linux-cpu")
    assert (manifest.recipe.name, manifest.recipe.precision) == ("keep", "float16")


def test_a_net_without_weights_is_never_called_int8(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 64]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Tanh", ["x"], ["y"])], "tanh", ends[:1], ends[1:])
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), str(tmp_path / "tanh.onnx"))
    words = ["build", str(tmp_path / "tanh.onnx"), "--target", "linux-cpu", "-o", str(tmp_path / "out"), "-q"]
    assert commands.main([*words, "--recipe", "int8_dynamic"]) == 5
    assert "found nothing to quantize" in capfd.readouterr().err
    assert not list((tmp_path / "out").glob("*/edgekit.json"))


def test_a_net_whose_outputs_ignore_its_inputs_is_not_measured(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    net = str(LIGHT / "light_squeezenet.onnx")
    words = ["build", net, "--target", "linux-cpu", "-o", str(tmp_path / "out"), "--quality", "fast", "--json"]
    assert commands.main(words) == 11
    error = json.loads(capfd.readouterr().out)["error"]
    assert "the source's outputs do not depend on its inputs" in error["message"]
