"""What NNAPI takes of small graphs. The truth of each case is in the source that stands beside it, of ONNX Runtime
1.21.0: files of onnxruntime/core/providers/nnapi/nnapi_builtin/builders, or the wheel's nnapi_supported_ops.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit import partition
from tests.unit.partition.small_graphs import (
    branch,
    conv,
    int8,
    matmul_nbits,
    model,
    node,
    outlook,
    quantized,
    save,
    weight,
)

pytestmark = pytest.mark.unit

X4 = {"x": [1, 4, 6, 6]}
CASES: dict[str, tuple[Any, int, str, str]] = {
    # name: (model, nodes taken, part of the reasons, source)
    "a convolution": (conv(), 1, "", "impl/conv_op_builder.cc"),
    "weights that are an input": (
        model([node("Conv", "x w")], {"x": [1, 3, 8, 8], "w": [4, 3, 3, 3]}),
        0,
        "weight is not constant",
        "impl/conv_op_builder.cc: the weight of convolution must be a constant initializer",
    ),
    "a 1D convolution": (
        model([node("Conv", "x w")], {"x": [1, 3, 8]}, {"w": weight(4, 3, 3)}),
        0,
        "1D convolution",
        "impl/conv_op_builder.cc: only conv 2d is supported",
    ),
    "a grouped convolution with dilations": (
        model([node("Conv", "x w", group=2, dilations=[2, 2])], {"x": [1, 4, 8, 8]}, {"w": weight(4, 2, 3, 3)}),
        0,
        "dilations",
        "impl/conv_op_builder.cc: dilation is not supported on grouped conv",
    ),
    "a batch of unknown size": (
        model([node("Conv", "x w")], {"x": ["n", 3, 8, 8]}, {"w": weight(4, 3, 3, 3)}),
        0,
        "size of an input varies",
        "impl/base_op_builder.cc: dynamic shape is not supported",
    ),
    "an operator outside the table": (model([node("Erf", "x")], X4), 0, "no such operator", "nnapi_supported_ops.md"),
    "a clip that is a ReLU6": (
        model([node("Clip", "x lo hi")], X4, {"lo": np.float32(0), "hi": np.float32(6)}),
        1,
        "",
        "impl/clip_op_builder.cc",
    ),
    "any other clip": (
        model([node("Clip", "x lo hi")], X4, {"lo": np.float32(0), "hi": np.float32(5)}),
        0,
        "0 ... 5",
        "impl/clip_op_builder.cc: only [0, 6] or [-1, 1]",
    ),
    "a pool that counts its padding": (
        model([node("AveragePool", "x", kernel_shape=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1)], X4),
        0,
        "count_include_pad",
        "impl/pool_op_builder.cc",
    ),
    "a pool that rounds up": (
        model([node("MaxPool", "x", kernel_shape=[2, 2], ceil_mode=1)], X4),
        0,
        "ceil_mode",
        "impl/pool_op_builder.cc",
    ),
    "a pool of three dimensions": (
        model([node("GlobalAveragePool", "x")], {"x": [1, 4, 6]}),
        0,
        "4 dimensions, not 3",
        "impl/pool_op_builder.cc: only rank-4 tensors",
    ),
    "nearest resize as NNAPI does it": (
        model(
            [
                node(
                    "Resize",
                    "x - scales",
                    mode="nearest",
                    coordinate_transformation_mode="asymmetric",
                    nearest_mode="floor",
                )
            ],
            X4,
            {"scales": np.array([1, 1, 2, 2], np.float32)},
        ),
        1,
        "",
        "impl/resize_op_builder.cc",
    ),
    "nearest resize as PyTorch does it": (
        model([node("Resize", "x - scales", mode="nearest")], X4, {"scales": np.array([1, 1, 2, 2], np.float32)}),
        0,
        "nearest needs",
        "impl/resize_op_builder.cc: only asymmetric and floor",
    ),
    "a resize of the batch": (
        model(
            [node("Resize", "x - scales", mode="linear", coordinate_transformation_mode="asymmetric")],
            X4,
            {"scales": np.array([2, 1, 2, 2], np.float32)},
        ),
        0,
        "batch or channels",
        "impl/resize_op_builder.cc: scales of N/C channel should be 1",
    ),
    "pixel shuffle in the wrong order": (
        model([node("DepthToSpace", "x", blocksize=2, mode="CRD")], X4),
        0,
        "CRD",
        "impl/depthtospace_op_builder.cc: only DCR",
    ),
    "a fully connected layer": (
        model([node("Gemm", "x w b", transB=1)], {"x": [2, 8]}, {"w": weight(5, 8), "b": weight(5)}),
        1,
        "",
        "impl/gemm_op_builder.cc",
    ),
    "a transposed input of Gemm": (
        model([node("Gemm", "x w", transA=1)], {"x": [8, 2]}, {"w": weight(8, 5)}),
        0,
        "transA",
        "impl/gemm_op_builder.cc: only transA == 0",
    ),
    "a bias that is no vector": (
        model([node("Gemm", "x w b")], {"x": [2, 8]}, {"w": weight(8, 5), "b": weight(2, 1)}),
        0,
        "bias",
        "impl/gemm_op_builder.cc: C of Gemm must be a vector",
    ),
    "a product of two inputs": (
        model([node("MatMul", "x z")], {"x": [2, 8], "z": [8, 3]}),
        0,
        "second input is not constant",
        "impl/gemm_op_builder.cc: B of MatMul must be a constant initializer",
    ),
    "a batch of products": (
        model([node("MatMul", "x z")], {"x": [3, 2, 8], "z": [3, 8, 3]}),
        1,
        "",
        "op_builder_helpers.cc, IsSupportedBatchMatMul",
    ),
    "a batch against one": (
        model([node("MatMul", "x w")], {"x": [3, 2, 8]}, {"w": weight(8, 3)}),
        0,
        "2 dimensions, not 3 and 2",
        "impl/gemm_op_builder.cc: A and B must be 2D",
    ),
    "a softmax of five dimensions": (
        model([node("Softmax", "x")], {"x": [1, 2, 3, 4, 5]}),
        0,
        "4 dimensions, not 5",
        "impl/softmax_op_builder.cc",
    ),
    "a shape that is computed": (
        model([node("Reshape", "x s", "r"), node("Relu", "r")], {"x": [2, 8], "s": ([2], "int64")}),
        0,
        "new shape is not constant",
        "impl/reshape_op_builder.cc",
    ),
    "a split into unequal parts": (
        model([node("Split", "x s", "y z", axis=1)], X4, {"s": np.array([1, 3])}, outputs={"y": None, "z": None}),
        0,
        "unequal parts",
        "impl/split_op_builder.cc",
    ),
    "three inputs of Max": (
        model([node("Max", "x x x")], X4),
        0,
        "2 inputs, not 3",
        "impl/minmax_op_builder.cc: only 2 inputs",
    ),
    "a cast to int64": (model([node("Cast", "x", to=7)], X4), 0, "something else", "impl/cast_op_builder.cc"),
    "integers": (
        model([node("Add", "x x")], {"x": ([2, 2], "int32")}),
        0,
        "int32, not float32",
        "impl/base_op_builder.cc",
    ),
    "a float power of an integer": (
        model([node("Pow", "x p")], X4, {"p": np.int64(2)}),
        0,
        "both inputs must be float32",
        "impl/binary_op_builder.cc: Pow only supports fp32 inputs",
    ),
    "five dimensions": (
        model([node("Add", "x x")], {"x": [1, 1, 2, 2, 2]}),
        0,
        "4 dimensions, not 5",
        "impl/binary_op_builder.cc",
    ),
    "a mean that keeps everything": (
        model([node("ReduceMean", "x", noop_with_empty_axes=1)], X4, opset=18),
        0,
        "noop_with_empty_axes",
        "impl/reduction_op_builder.cc",
    ),
    "a reflecting pad": (
        model([node("Pad", "x p", mode="reflect")], X4, {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])}),
        0,
        "mode is reflect",
        "impl/pad_op_builder.cc",
    ),
    "a branch": (
        branch(),
        2,
        "ai.onnx:If: NNAPI's provider has no such operator",
        "nnapi_execution_provider.cc: IsSubgraph",
    ),
    "int4 weights": (matmul_nbits(), 0, "com.microsoft:MatMulNBits", "nnapi_supported_ops.md"),
    "a quantized convolution": (quantized("Conv", [1, 3, 8, 8], int8(4, 3, 3, 3)), 6, "", "helper.cc, u8s8"),
    "a quantized convolution, per channel": (
        quantized("Conv", [1, 3, 8, 8], int8(4, 3, 3, 3), scales=4),
        6,
        "",
        "op_builder_helpers.cc, IsQuantizationScaleSupported",
    ),
    "int8 activations": (
        quantized("Conv", [1, 3, 8, 8], int8(4, 3, 3, 3), activation="int8"),
        0,
        "activations must be uint8",
        "helper.cc, HasValidBinaryOpQuantizedInputTypes",
    ),
    "a quantized product, per channel": (
        quantized("MatMul", [2, 8], int8(8, 5), scales=5, axis=1),
        2,
        "per-channel",
        "op_builder_helpers.cc: QLinearMatMul does not support per-channel quantization; the outer Q and DQ are alone",
    ),
    "a quantized operator that NNAPI has in float only": (
        quantized("Sigmoid", [1, 4, 6, 6], None),
        2,
        "a quantized Sigmoid is not taken",
        "impl/unary_op_builder.cc: no QDQ; the Q before and the DQ behind stand alone",
    ),
    "a quantized softmax of the wrong scale": (
        quantized("Softmax", [2, 8], None, out_scale=0.01),
        2,
        "scale to be",
        "impl/softmax_op_builder.cc: the scale must be 1/256",
    ),
    "a quantized softmax": (quantized("Softmax", [2, 8], None, out_scale=1 / 256), 5, "", "impl/softmax_op_builder.cc"),
    "a ReLU that quantization makes redundant": (
        quantized("Conv", [1, 3, 8, 8], int8(4, 3, 3, 3), clip=node("Relu", "c", "r")),
        7,
        "",
        "qdq_selectors.cc: a redundant clip node belongs to the group",
    ),
    "what is below NonMaxSuppression": (
        model(
            [
                node("NonMaxSuppression", "boxes scores", "n"),
                node("Cast", "n", "f", to=1),
                node("Relu", "f", "y"),
                node("Sigmoid", "scores", "z"),
            ],
            {"boxes": [1, 6, 4], "scores": [1, 1, 6]},
            outputs={"y": None, "z": None},
        ),
        1,
        "below NonMaxSuppression",
        "nnapi_execution_provider.cc, kDefaultPartitioningStopOps",
    ),
    "a reshape by itself": (
        model([node("Reshape", "x s")], X4, {"s": np.array([1, 144])}),
        0,
        "alone it would only copy",
        "helper.cc, IsValidSupportedNodeGroup",
    ),
}


SOURCE = re.compile(r"\.(cc|h|mm|md)\b|^the tables?\b|^1\.\d+: ")  # a file of ONNX Runtime, its tables, or its notes


@pytest.mark.parametrize("name", CASES)
def test_the_truth_of_the_builders(name: str, tmp_path: Path) -> None:
    proto, taken, reason, source = CASES[name]
    assert SOURCE.search(source), "where the truth of it stands"
    found = partition.predict(save(tmp_path, proto), "nnapi", optimize=False)
    assert (found.how, found.evidence) == ("predicted", "static")
    count, reasons = outlook(found, "nnapi")
    assert count == taken, reasons
    assert reason in reasons
    assert bool(reasons) == (found.nodes_taken < found.nodes)


@pytest.mark.parametrize(
    ("proto", "level"),
    [
        # impl/elu_op_builder.cc and resize_op_builder.cc ask for feature level 4 and API level 30.
        (model([node("Elu", "x")], X4), 30),
        (model([node("Resize", "x - s", mode="linear")], X4, {"s": np.array([1, 1, 2, 2], np.float32)}), 30),
        # impl/binary_op_builder.cc: feature level 2.
        (model([node("Sub", "x x")], X4), 28),
    ],
    ids=["elu", "linear resize", "sub"],
)
def test_an_older_android_takes_less(proto: Any, level: int, tmp_path: Path) -> None:
    path = save(tmp_path, proto)
    older = partition.predict(path, "nnapi", api_level=level - 1, optimize=False)
    assert older.nodes_taken == 0 and f"API level {level}" in older.blockers[0].reason
    assert partition.predict(path, "nnapi", api_level=level, optimize=False).nodes_taken == 1


def test_pieces_and_round_trips_are_those_of_the_partitioning(tmp_path: Path) -> None:
    """partitioning_utils.cc: Relu, then Erf (left), then Relu, and beside them a Relu that joins the first piece."""
    nodes = [node("Relu", "x", "a"), node("Erf", "a", "b"), node("Relu", "b", "y"), node("Relu", "x", "z")]
    path = save(tmp_path, model(nodes, X4, outputs={"y": None, "z": None}))
    found = partition.predict(path, "nnapi", optimize=False)
    assert (found.nodes, found.nodes_taken, found.partitions, found.round_trips) == (4, 3, 2, 1)
    assert found.nodes_by_ep == {"cpu": 1, "nnapi": 3}


def test_coverage_counts_multiply_accumulates(tmp_path: Path) -> None:
    """A convolution of 4 x 6 x 6 x 27 products, and a product of 144 x 10 that is left for its missing batch."""
    nodes = [node("Conv", "x w", "a"), node("Flatten", "a", "f"), node("MatMul", "f m", "p"), node("Erf", "p")]
    proto = model(nodes, {"x": [1, 3, 8, 8]}, {"w": weight(4, 3, 3, 3), "m": weight(144, 10)})
    found = partition.predict(save(tmp_path, proto), "nnapi", optimize=False)
    assert found.work == "macs"
    assert found.macs == 4 * 36 * 27 + 144 * 10 == found.macs_taken
    assert found.weight_bytes == 4 * (4 * 27 + 144 * 10)
    assert found.coverage == 1 and found.nodes_taken == 3


def test_without_known_sizes_coverage_counts_weight_bytes(tmp_path: Path) -> None:
    nodes = [node("Conv", "x w", "a"), node("Erf", "a")]
    found = partition.predict(
        save(tmp_path, model(nodes, {"x": ["n", 3, "h", "w"]}, {"w": weight(4, 3, 3, 3)})), "nnapi", optimize=False
    )
    assert (found.work, found.coverage, found.macs) == ("bytes", 0.0, None)
    assert found.weight_bytes == 4 * 4 * 27
    assert "make_dynamic_shape_fixed" in found.blockers[0].rewrite
