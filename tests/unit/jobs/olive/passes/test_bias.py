"""Biases in the shape that ONNX Runtime's quantizer takes: the same function, each C of a Gemm as [N] or behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from edgekit.jobs.olive.passes._bias import flat

pytestmark = pytest.mark.unit
RANDOM = np.random.default_rng(3)
FLOAT = onnx.TensorProto.FLOAT


def gemm(shape: tuple[int, ...], **attributes: Any) -> Any:
    """y = relu(alpha * x @ w + beta * c) for x of [2, 4] and y of [2, 6]."""
    weights = (6, 4) if attributes.get("transB") else (4, 6)
    constants = {"w": RANDOM.normal(size=weights), "c": RANDOM.normal(size=shape)}
    nodes = [helper.make_node("Gemm", ["x", "w", "c"], ["h"], **attributes), helper.make_node("Relu", ["h"], ["y"])]
    return model(nodes, constants)


def model(nodes: list[Any], constants: dict[str, Any]) -> Any:
    initial = [numpy_helper.from_array(np.asarray(values, np.float32), name) for name, values in constants.items()]
    x, y = (helper.make_tensor_value_info(name, FLOAT, [2, size]) for name, size in (("x", 4), ("y", 6)))
    graph = helper.make_graph(nodes, "g", [x], [y], initial)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def answer(proto: Any) -> Any:
    onnx.checker.check_model(proto)
    feed = {"x": np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)}
    return ReferenceEvaluator(proto).run(None, feed)[0]


@pytest.mark.parametrize("shape", [(6,), (1, 6), (1,), (1, 1), (), (2, 6), (2, 1)])
@pytest.mark.parametrize("attributes", [{}, {"transB": 1}, {"alpha": 0.5, "beta": -2.0}])
def test_every_shape_of_a_bias_becomes_a_row_or_an_operator(shape: tuple[int, ...], attributes: dict[str, Any]) -> None:
    proto = gemm(shape, **attributes)
    expected = answer(proto)
    made = flat(proto)
    np.testing.assert_allclose(answer(made), expected, rtol=1e-6, atol=1e-6)
    [node] = [node for node in made.graph.node if node.op_type == "Gemm"]
    assert "beta" not in {attribute.name for attribute in node.attribute}
    if shape[:1] == (2,):  # by row: an operator of its own
        assert len(node.input) == 2 and [node.op_type for node in made.graph.node] == ["Gemm", "Add", "Relu"]
    else:
        dims = {tensor.name: list(tensor.dims) for tensor in made.graph.initializer}
        assert dims[node.input[2]] == [6]


def test_a_bias_that_two_operators_read_is_spread_for_each() -> None:
    nodes = [
        helper.make_node("Gemm", ["x", "w", "c"], ["h"]),
        helper.make_node("Gemm", ["h", "v", "c"], ["y"], beta=3.0),
    ]
    proto = model(nodes, {"w": RANDOM.normal(size=(4, 5)), "v": RANDOM.normal(size=(5, 6)), "c": [[0.25]]})
    expected = answer(proto)
    np.testing.assert_allclose(answer(flat(proto)), expected, rtol=1e-6, atol=1e-6)


def test_what_is_no_constant_or_fits_stays() -> None:
    nodes = [
        helper.make_node("Neg", ["c"], ["made"]),
        helper.make_node("Gemm", ["x", "w", "made"], ["h"]),
        helper.make_node("Gemm", ["h", "v", "b"], ["y"]),
    ]
    constants = {"w": np.ones((4, 5)), "v": np.ones((5, 6)), "c": np.ones((1, 5)), "b": np.ones(6)}
    proto = model(nodes, constants)
    before = proto.SerializeToString()
    assert flat(proto).SerializeToString() == before
