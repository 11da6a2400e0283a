"""Static quantization of matrix products with biases as exporters write them: it runs, and says what the float says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from olive.data.registry import Registry
from olive.hardware.accelerator import DEFAULT_CPU_ACCELERATOR
from olive.model import ONNXModelHandler
from olive.passes.olive_pass import create_pass_from_dict
from olive.passes.onnx.quantization import OnnxQuantizationPreprocess
from onnx import helper, numpy_helper

from edgekit import target
from edgekit.inputs.feeds import FeedFolder, write_folder
from edgekit.jobs.olive.passes.qnn_quantize import EdgekitQnnQuantization
from edgekit.jobs.olive.passes.static_int8 import EdgekitStaticQuantization
from edgekit.model import Model
from edgekit.recipes import int8_qdq, w8a16_qdq
from tests.unit.inputs.nets import save, value

pytestmark = pytest.mark.olive
RANDOM = np.random.default_rng(7)
node = helper.make_node


def weights(*shape: int) -> Any:
    return RANDOM.normal(0, 0.3, shape).astype(np.float32)


def tensorflow(path: Path) -> Path:
    """tf2onnx: MatMul, and BiasAdd as an Add of [1, N]."""
    nodes = [node("MatMul", ["x", "w"], ["a"]), node("Add", ["a", "b"], ["h"])]
    return tail(path, nodes, {"b": weights(1, 24)})


def jax(path: Path) -> Path:
    """jax2onnx and jax2tf: the bias on the left, broadcast ahead to [1, N], in a Constant node."""
    bias = node("Constant", [], ["b"], value=numpy_helper.from_array(weights(1, 24)))
    return tail(path, [bias, node("MatMul", ["x", "w"], ["a"]), node("Add", ["b", "a"], ["h"])], {})


def keras(path: Path) -> Path:
    """keras2onnx and hand-written Gemms: C of [1, N], or one value for all, with a beta."""
    return tail(path, [node("Gemm", ["x", "w", "b"], ["h"], beta=2.0)], {"b": np.full((1, 1), 0.3, np.float32)})


def torch(path: Path) -> Path:
    """PyTorch: Gemm with [N]."""
    return tail(path, [node("Gemm", ["x", "w", "b"], ["h"])], {"b": weights(24)})


def tail(path: Path, nodes: list[Any], constants: dict[str, Any]) -> Path:
    after = [node("Relu", ["h"], ["r"]), node("MatMul", ["r", "v"], ["y"])]
    constants = {"w": weights(32, 24), "v": weights(24, 8), **constants}
    return save(path, [*nodes, *after], [value("x", [1, 32])], [value("y", [1, 8])], constants)


@pytest.fixture(scope="module")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> FeedFolder:
    folder = tmp_path_factory.mktemp("feeds")
    write_folder(folder, [{"x": RANDOM.normal(size=(1, 32)).astype(np.float32)} for _ in range(24)])
    Registry.register_dataset("edgekit_feeds")(lambda folder: FeedFolder(Path(folder)))
    Registry.register_dataloader("edgekit_unbatched")(lambda dataset: dataset)
    return FeedFolder(folder)


def quantized(recipe: Any, float_path: Path, folder: Path, tmp_path: Path) -> Any:
    """What a recipe's last pass makes of a net that is prepared as Olive does, with the feeds of a folder."""
    settings = target.load("linux-cpu").tensor
    *_, quantize = recipe.passes(Model(name="m", kind="tensor", sha256="", opset=17), settings)
    data = {
        "name": "calibration",
        "type": "DataContainer",
        "load_dataset_config": {"type": "edgekit_feeds", "params": {"folder": str(folder)}},
        "dataloader_config": {"type": "edgekit_unbatched"},
    }
    kind = EdgekitStaticQuantization if recipe is int8_qdq else EdgekitQnnQuantization
    config = {**{key: quantize[key] for key in quantize if key != "type"}, "data_config": data}
    prepare = create_pass_from_dict(OnnxQuantizationPreprocess, {"skip_symbolic_shape": True}, DEFAULT_CPU_ACCELERATOR)
    prepared = prepare.run(ONNXModelHandler(str(float_path)), str(tmp_path / "prepared.onnx"))
    return create_pass_from_dict(kind, config, DEFAULT_CPU_ACCELERATOR).run(prepared, str(tmp_path / "int8.onnx"))


@pytest.mark.parametrize("exported", [tensorflow, jax, keras, torch])
@pytest.mark.parametrize("recipe", [int8_qdq, w8a16_qdq], ids=["int8", "w8a16"])
def test_it_runs_and_is_near(tmp_path: Path, feeds: FeedFolder, recipe: Any, exported: Callable[[Path], Path]) -> None:
    float_path = exported(tmp_path / "float.onnx")
    built = quantized(recipe, float_path, feeds.files[0].parent, tmp_path)
    assert "DequantizeLinear" in {operator.op_type for operator in onnx.load(built.model_path).graph.node}
    outputs = []
    for path in (str(float_path), built.model_path):
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        outputs.append(np.concatenate([session.run(None, feed)[0] for feed in feeds]))
    noise = float(np.sum((outputs[0] - outputs[1]) ** 2) / np.sum(outputs[0] ** 2))
    assert noise < 10 ** (-20 / 10)


@pytest.mark.parametrize("recipe", [int8_qdq, w8a16_qdq], ids=["int8", "w8a16"])
def test_an_input_that_no_node_reads_stays(tmp_path: Path, feeds: FeedFolder, recipe: Any) -> None:
    """Voices have the lengths of their texts among the inputs, read or not; Olive calibrates without such ones."""
    model = onnx.load(torch(tmp_path / "float.onnx"))
    model.graph.input.append(helper.make_tensor_value_info("lengths", onnx.TensorProto.INT64, [1]))
    onnx.save(model, tmp_path / "float.onnx")
    (tmp_path / "feeds").mkdir()
    write_folder(tmp_path / "feeds", [{**feed, "lengths": np.array([32], np.int64)} for feed in feeds])
    built = quantized(recipe, tmp_path / "float.onnx", tmp_path / "feeds", tmp_path)
    session = onnxruntime.InferenceSession(built.model_path, providers=["CPUExecutionProvider"])
    assert [tensor.name for tensor in session.get_inputs()] == ["x", "lengths"]
    assert all(np.isfinite(session.run(None, feed)[0]).all() for feed in FeedFolder(tmp_path / "feeds"))
