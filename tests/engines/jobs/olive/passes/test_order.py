"""Nodes put in order, on what ONNX Runtime's float16 converter leaves of an input that two operators read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnxruntime.transformers.float16 import convert_float_to_float16

from edgekit.jobs.olive.passes._order import in_order
from tests.unit.inputs.nets import save, value

pytestmark = pytest.mark.runtimes


def names(graph: Any) -> list[str]:
    return [node.name for node in graph.node]


def test_an_input_that_two_operators_read_is_cast_before_them(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="a"),
        helper.make_node("Relu", ["x"], ["b"], name="b"),
        helper.make_node("Add", ["a", "b"], ["y"], name="y"),
    ]
    weights = {"w": np.ones((3, 3, 1, 1), np.float32)}
    shape = [1, 3, 4, 4]
    path = save(tmp_path / "net.onnx", nodes, [value("x", shape)], [value("y", shape)], weights)
    made = convert_float_to_float16(onnx.load(path), keep_io_types=True)
    with pytest.raises(onnx.checker.ValidationError, match="topologically sorted"):
        onnx.checker.check_model(made)
    before = sorted(names(made.graph))
    onnx.checker.check_model(in_order(made))
    assert sorted(names(made.graph)) == before


def test_what_stands_right_stays_and_branches_are_sorted_and_seen_into() -> None:
    inner = helper.make_graph(
        [helper.make_node("Neg", ["n"], ["out"], name="neg"), helper.make_node("Abs", ["late"], ["n"], name="abs")],
        "branch",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1])],
    )
    nodes = [
        helper.make_node("Relu", ["x"], ["r"], name="relu"),
        helper.make_node("If", ["yes"], ["y"], name="if", then_branch=inner, else_branch=inner),
        helper.make_node("Sigmoid", ["x"], ["late"], name="sigmoid"),
        helper.make_node("Tanh", ["r"], ["t"], name="tanh"),
    ]
    model = helper.make_model(helper.make_graph(nodes, "g", [], []))
    sorted_graph = in_order(model).graph
    assert names(sorted_graph) == ["relu", "sigmoid", "tanh", "if"]
    assert names(sorted_graph.node[3].attribute[0].g) == ["abs", "neg"]
    circle = helper.make_model(
        helper.make_graph([helper.make_node("Neg", ["b"], ["a"]), helper.make_node("Neg", ["a"], ["b"])], "g", [], [])
    )
    assert [node.output[0] for node in in_order(circle).graph.node] == ["a", "b"]
