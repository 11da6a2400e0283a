"""What Core ML takes of small graphs. The truth of each case is in the source that stands beside it: files of
onnxruntime/core/providers/coreml/builders of ONNX Runtime 1.21.0 (1.29 where it says so), or the wheel's tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit import partition
from tests.unit.partition.small_graphs import branch, conv, matmul_nbits, model, node, outlook, save, weight

pytestmark = pytest.mark.unit

X4 = {"x": [1, 4, 6, 6]}
HALF = {"x": ([1, 4, 6, 6], "float16")}
BOTH, PROGRAM, NETWORK = (1, 1), (1, 0), (0, 1)  # nodes taken as MLProgram and as NeuralNetwork
CASES: dict[str, tuple[Any, tuple[int, int], str, str]] = {
    # name: (model, nodes taken as (MLProgram, NeuralNetwork), part of the reasons where less is taken, source)
    "a convolution": (conv(), BOTH, "", "impl/conv_op_builder.cc"),
    "a convolution whose weights are an input": (
        model([node("Conv", "x w")], {"x": [1, 3, 8, 8], "w": [4, 3, 3, 3]}),
        PROGRAM,
        "weight is not constant",
        "impl/conv_op_builder.cc: ML Program supports non-const weight",
    ),
    "a 3D convolution": (
        model([node("Conv", "x w")], {"x": [1, 3, 8, 8, 8]}, {"w": weight(4, 3, 3, 3, 3)}),
        (0, 0),
        "3D convolution",
        "impl/conv_op_builder.cc: only 1D and 2D",
    ),
    "a very long convolution": (
        model([node("Conv", "x w")], {"x": [1, 2, 20000]}, {"w": weight(4, 2, 3)}),
        (0, 0),
        "over 16384",
        "1.29: exceeds CoreML convolution memory limit of 16384",
    ),
    "a padded transposed convolution": (
        model(
            [node("ConvTranspose", "x w", pads=[0] * 4, output_padding=[1, 1], strides=[2, 2])],
            X4,
            {"w": weight(4, 2, 3, 3)},
        ),
        (0, 0),
        "output_padding",
        "impl/convtranspose_op_builder.cc",
    ),
    "float16": (model([node("Relu", "x")], HALF, opset=14), PROGRAM, "float16, not float32", "impl/base_op_builder.cc"),
    "an operator of the ML Program": (
        model([node("Erf", "x")], X4),
        PROGRAM,
        "no such operator in the NeuralNetwork",
        "coreml_supported_mlprogram_ops.md, impl/unary_op_builder.cc",
    ),
    "an operator of the neural network": (
        model([node("Flatten", "x")], X4),
        NETWORK,
        "no such operator in the MLProgram",
        "impl/flatten_op_builder.cc has no SupportsMLProgram",
    ),
    "batch normalization, missing from the ML Program's table": (
        model([node("BatchNormalization", "x s b m v")], X4, {name: np.abs(weight(4)) for name in "sbmv"}),
        BOTH,
        "",
        "impl/batch_norm_op_builder.cc: SupportsMLProgram is true",
    ),
    "batch normalization of three dimensions": (
        model(
            [node("BatchNormalization", "x s b m v")], {"x": [1, 4, 6]}, {name: np.abs(weight(4)) for name in "sbmv"}
        ),
        (0, 0),
        "4 dimensions, not 3",
        "impl/batch_norm_op_builder.cc",
    ),
    "an operator outside the tables": (model([node("Softsign", "x")], X4), (0, 0), "no such operator", "the tables"),
    "concatenation along another axis": (
        model([node("Concat", "x x", axis=2)], X4),
        PROGRAM,
        "another axis",
        "impl/concat_op_builder.cc",
    ),
    "six dimensions": (
        model([node("Relu", "x")], {"x": [1] * 6}),
        (0, 0),
        "more than 5",
        "helper.cc, IsInputSupported",
    ),
    "no elements": (model([node("Relu", "x")], {"x": [0, 4]}), (0, 0), "no elements", "helper.cc, IsInputSupported"),
    "a product of two inputs": (
        model([node("MatMul", "x z")], {"x": [2, 8], "z": [8, 3]}),
        PROGRAM,
        "second input is not constant",
        "impl/gemm_op_builder.cc",
    ),
    "a product in three dimensions": (
        model([node("MatMul", "x w")], {"x": [3, 2, 8]}, {"w": weight(8, 3)}),
        PROGRAM,
        "2 dimensions, not 3 and 2",
        "impl/gemm_op_builder.cc: a and b inputs must be 2D",
    ),
    "a product with a vector": (
        model([node("MatMul", "x w")], {"x": [2, 8]}, {"w": weight(8)}),
        (0, 0),
        "1 dimension",
        "impl/gemm_op_builder.cc: bug when one of the inputs is 1D",
    ),
    "a scaled Gemm": (
        model([node("Gemm", "x w", alpha=0.5)], {"x": [2, 8]}, {"w": weight(8, 3)}),
        (0, 0),
        "alpha",
        "impl/gemm_op_builder.cc",
    ),
    "a pool that rounds up": (
        model([node("MaxPool", "x", kernel_shape=[2, 2], ceil_mode=1)], X4),
        PROGRAM,
        "ceil_mode",
        "impl/pool_op_builder.cc",
    ),
    "a pool of one dimension": (
        model([node("MaxPool", "x", kernel_shape=[2])], {"x": [1, 4, 6]}),
        (0, 0),
        "4 dimensions, not 3",
        "impl/pool_op_builder.cc",
    ),
    "a half-size nearest resize": (
        model(
            [
                node(
                    "Resize",
                    "x - s",
                    mode="nearest",
                    nearest_mode="floor",
                    coordinate_transformation_mode="asymmetric",
                )
            ],
            X4,
            {"s": np.array([1, 1, 0.5, 0.5], np.float32)},
        ),
        PROGRAM,
        "no downsampling",
        "impl/resize_op_builder.cc",
    ),
    "an uneven resize": (
        model(
            [
                node(
                    "Resize",
                    "x - s",
                    mode="nearest",
                    nearest_mode="floor",
                    coordinate_transformation_mode="asymmetric",
                )
            ],
            X4,
            {"s": np.array([1, 1, 1.5, 1.5], np.float32)},
        ),
        (0, 0),
        "whole number",
        "impl/resize_op_builder.cc",
    ),
    "a linear resize": (
        model([node("Resize", "x - s", mode="linear")], X4, {"s": np.array([1, 1, 2, 2], np.float32)}),
        PROGRAM,
        "half_pixel",
        "impl/resize_op_builder.cc: NeuralNetwork takes asymmetric only",
    ),
    "a reflecting pad": (
        model([node("Pad", "x p", mode="reflect")], X4, {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])}),
        PROGRAM,
        "mode is reflect",
        "1.29's pad_op_builder.cc",
    ),
    "pixel shuffle in PyTorch's order": (
        model([node("DepthToSpace", "x", blocksize=2, mode="CRD")], X4),
        PROGRAM,
        "CRD",
        "impl/depthtospace_op_builder.cc",
    ),
    "a cast of an input": (
        model([node("Cast", "x", to=6)], X4),
        (0, 0),
        "nothing comes before",
        "impl/cast_op_builder.cc",
    ),
    "a slope for one channel": (
        model([node("PRelu", "x w")], {"x": [1, 1, 6, 6]}, {"w": weight(1)}),
        (0, 0),
        "crash",
        "impl/activation_op_builder.cc",
    ),
    "a reshape of unknown size": (
        model([node("Reshape", "x s")], {"x": ["n", 8]}, {"s": np.array([-1, 4])}),
        (0, 0),
        "varies",
        "impl/reshape_op_builder.cc: GetStaticShape",
    ),
    "int4 weights": (matmul_nbits(), (0, 0), "com.microsoft:MatMulNBits", "the tables"),
    "a contrib operator of the same name": (
        model([node("Gelu", "x", domain="com.microsoft")], X4),
        PROGRAM,
        "no such operator in the NeuralNetwork",
        "helper.cc, GetOpBuilder: by type alone",
    ),
}


SOURCE = re.compile(r"\.(cc|h|mm|md)\b|^the tables?\b|^1\.\d+: ")  # a file of ONNX Runtime, its tables, or its notes


@pytest.mark.parametrize("name", CASES)
def test_the_truth_of_the_builders(name: str, tmp_path: Path) -> None:
    proto, taken, reason, source = CASES[name]
    assert SOURCE.search(source), "where the truth of it stands"
    path = save(tmp_path, proto)
    said = []
    for format_, wanted in zip(("MLProgram", "NeuralNetwork"), taken, strict=True):
        count, reasons = outlook(partition.predict(path, "coreml", {"ModelFormat": format_}, optimize=False), "coreml")
        assert count == wanted, (format_, reasons)
        said.append(reasons)
    assert reason in " | ".join(said)


@pytest.mark.parametrize(
    ("op", "release"),
    # The releases are those whose wheel's table has the operator first.
    [("Elu", "1.24.4"), ("HardSigmoid", "1.26.0"), ("Sin", "1.27.0")],
)
def test_an_operator_is_taken_from_the_release_that_brought_it(op: str, release: str, tmp_path: Path) -> None:
    path = save(tmp_path, model([node(op, "x")], X4))
    program = {"ModelFormat": "MLProgram"}
    assert partition.predict(path, "coreml", program, runtime=release, optimize=False).nodes_taken == 1
    before = partition.predict(path, "coreml", program, runtime="1.23.2", optimize=False)
    assert before.nodes_taken == 0
    assert release.rpartition(".")[0] in before.blockers[0].reason
    assert "raise the floor" in before.blockers[0].rewrite


def test_static_shapes_are_an_option(tmp_path: Path) -> None:
    path = save(tmp_path, model([node("Conv", "x w")], {"x": ["n", 3, 8, 8]}, {"w": weight(4, 3, 3, 3)}))
    assert partition.predict(path, "coreml", {"ModelFormat": "MLProgram"}, optimize=False).nodes_taken == 1
    strict = {"ModelFormat": "MLProgram", "RequireStaticInputShapes": "1"}
    found = partition.predict(path, "coreml", strict, optimize=False)
    assert found.nodes_taken == 0 and "RequireStaticInputShapes" in found.blockers[0].reason
    assert found.ep_options == strict


def test_bodies_are_an_option(tmp_path: Path) -> None:
    """coreml_execution_provider.cc, EnableOnSubgraph: Relu and Sigmoid are taken inside, If itself never is."""
    path = save(tmp_path, branch("Relu", "Sigmoid"))
    outside = partition.predict(path, "coreml", {}, optimize=False)
    inside = partition.predict(path, "coreml", {"EnableOnSubgraphs": "1"}, optimize=False)
    assert (outside.nodes, outside.nodes_taken, inside.nodes_taken) == (5, 2, 4)
    assert any("EnableOnSubgraphs is off" in blocker.reason for blocker in outside.blockers)


def test_weights_in_another_file_are_a_note_for_old_releases(tmp_path: Path) -> None:
    import onnx

    path = tmp_path / "model.onnx"
    onnx.save(conv(), str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    old = partition.predict(path, "coreml", runtime="1.24.2", optimize=False)
    assert old.nodes_taken == 1 and "another file" in old.notes[0]
    assert not partition.predict(path, "coreml", runtime="1.29.0", optimize=False).notes
