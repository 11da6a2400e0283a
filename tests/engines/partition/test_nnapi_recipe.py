"""The recipe for android-nnapi quantizes matrix products so that NNAPI takes them: one scale for all of a weight.

Truth: op_builder_helpers.cc of ONNX Runtime 1.21.0, IsQuantizationScaleSupported: "does not support per-channel
quantization" for MatMul; and Android's FULLY_CONNECTED, which a Gemm becomes, has no weights with a scale a channel.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from edgekit import partition, target
from edgekit.jobs.olive.passes._qdq import one_scale
from edgekit.model import Model, Tensor
from edgekit.recipes import float32, int8_qdq
from tests.unit.partition.small_graphs import model, node, weight

pytestmark = pytest.mark.runtimes

SETTINGS = target.load("android-nnapi").tensor


class Feeds(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self) -> None:
        self._feeds = iter([{"x": np.random.default_rng(at).normal(0, 1, (1, 4, 6, 6))} for at in range(4)])

    def get_next(self) -> dict[str, Any] | None:
        feed = next(self._feeds, None)
        return feed and {name: value.astype(np.float32) for name, value in feed.items()}


def net() -> Any:
    nodes = [
        node("Conv", "x w c", "a"),
        node("GlobalAveragePool", "a", "p"),
        node("Flatten", "p", "f"),
        node("MatMul", "f m", "h"),
        node("Gemm", "h g b", "y"),
    ]
    weights = {"w": weight(8, 4, 3, 3), "c": weight(8), "m": weight(8, 5), "g": weight(5, 3), "b": weight(3)}
    return model(nodes, {"x": [1, 4, 6, 6]}, weights, outputs={"y": [1, 3]})


def quantized(path: Path, passed: dict[str, Any], operators: list[str]) -> Path:
    """As the recipe's pass does it, by ONNX Runtime's quantizer."""
    onnx.save(net(), path.with_name("float.onnx"))
    quantize_static(
        path.with_name("float.onnx"), path, Feeds(), quant_format=QuantFormat.QDQ, per_channel=passed["per_channel"],
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        op_types_to_quantize=passed["op_types_to_quantize"],
        extra_options={"TensorQuantOverrides": one_scale(net(), operators)},
    )  # fmt: skip
    return path


def left(path: Path) -> set[str]:
    return {blocker.operator.partition(":")[2] for blocker in partition.predict(path, "nnapi").blockers}


def test_with_one_scale_nnapi_takes_the_matrix_products_and_with_one_a_channel_not(tmp_path: Path) -> None:
    described = Model(
        name="net", kind="tensor", opset=17, sha256="0" * 64,
        inputs=(Tensor(name="x", dtype="float32", shape=(1, 4, 6, 6)),),
    )  # fmt: skip
    passed = int8_qdq.passes(described, SETTINGS)[-1]
    assert set(passed["per_tensor_op_types"]) == {"MatMul", "Gemm"}
    taken = quantized(tmp_path / "taken.onnx", passed, passed["per_tensor_op_types"])
    assert not left(taken) & {"MatMul", "Gemm", "Conv"}
    scales = {
        tensor.name: tensor.dims for tensor in onnx.load(taken).graph.initializer if tensor.name.endswith("_scale")
    }
    assert list(scales["w_scale"]) == [8]  # convolutions keep one scale a channel
    assert left(quantized(tmp_path / "left.onnx", passed, [])) >= {"MatMul"}


def test_the_cpu_keeps_a_scale_for_each_channel() -> None:
    described = Model(name="net", kind="tensor", opset=17, sha256="0" * 64)
    assert "per_tensor_op_types" not in int8_qdq.passes(described, target.load("linux-cpu").tensor)[-1]


@pytest.mark.parametrize("recipe", [int8_qdq, float32])
def test_sizes_are_fixed_where_the_target_says_so(recipe: Any) -> None:
    varies = Model(
        name="net", kind="tensor", opset=17, sha256="0" * 64,
        inputs=(Tensor(name="x", dtype="float32", shape=("n", 3, 32, 32)),),
    )  # fmt: skip
    first = recipe.passes(varies, SETTINGS)[0]
    assert (first["type"], first["input_shape"]) == ("EdgekitFixedShape", [[1, 3, 32, 32]])
    assert recipe.passes(varies, target.load("linux-cpu").tensor)[0]["type"] != "EdgekitFixedShape"
