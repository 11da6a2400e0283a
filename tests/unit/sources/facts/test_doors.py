"""What goes into a graph and comes out of it: what no runtime passes is refused before anything is built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgekit.errors import SourceError
from edgekit.sources.facts import doors
from tests.unit.inputs.nets import save, value

pytestmark = pytest.mark.unit

PASS = ["FLOAT", "FLOAT16", "DOUBLE", "BOOL", "INT8", "UINT8", "INT16", "UINT16", "INT32", "UINT32", "INT64", "UINT64"]
REFUSED = {
    "BFLOAT16": "export it with float32",
    "STRING": "let the app make its numbers",
    "COMPLEX64": "put a Cast",
    "FLOAT8E4M3FN": "put a Cast",
    "INT4": "put a Cast",
}


def same(path: Path, kind: str, shape: tuple[Any, ...] = (1, 4)) -> Path:
    code = TensorProto.DataType.Value(kind)
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    model = helper.make_graph(nodes, "g", [value("x", shape, code)], [value("y", shape, code)])
    opsets = [helper.make_opsetid("", 21)]
    path.write_bytes(helper.make_model(model, opset_imports=opsets, ir_version=10).SerializeToString())
    return path


@pytest.mark.parametrize("kind", PASS)
@pytest.mark.parametrize("shape", [(), (1,), (1, "n")])
def test_numbers_pass_whatever_their_axes(tmp_path: Path, kind: str, shape: tuple[Any, ...]) -> None:
    doors.check(same(tmp_path / "m.onnx", kind, shape))


@pytest.mark.parametrize("kind", REFUSED)
def test_what_no_runtime_passes_is_refused_with_what_to_give_instead(tmp_path: Path, kind: str) -> None:
    with pytest.raises(SourceError, match="its input 'x' is") as error:
        doors.check(same(tmp_path / "m.onnx", kind))
    assert error.value.exit_code == 4 and REFUSED[kind] in error.value.next


def test_text_may_come_out_and_a_float_that_numpy_lacks_may_not(tmp_path: Path) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.STRING)]
    x = value("x", (1, 4))
    doors.check(save(tmp_path / "t.onnx", nodes, [x], [value("y", (1, 4), TensorProto.STRING)], {}))
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.BFLOAT16)]
    path = save(tmp_path / "b.onnx", nodes, [x], [value("y", (1, 4), TensorProto.BFLOAT16)], {})
    with pytest.raises(SourceError, match="its output 'y' is bfloat16"):
        doors.check(path)


@pytest.mark.parametrize("shape", [(0,), (0, 4), (1, 0, "n")])
def test_an_input_of_size_zero_takes_nothing(tmp_path: Path, shape: tuple[Any, ...]) -> None:
    with pytest.raises(SourceError, match="its input 'x' has a size of zero") as error:
        doors.check(same(tmp_path / "m.onnx", "FLOAT", shape))
    assert "dynamic axis" in error.value.next


def test_a_graph_without_inputs_always_says_the_same(tmp_path: Path) -> None:
    nodes = [helper.make_node("Neg", ["c"], ["y"])]
    with pytest.raises(SourceError, match="no input"):
        doors.check(save(tmp_path / "c.onnx", nodes, [], [value("y", [2])], {"c": np.ones(2, np.float32)}))
    old = [value("c", [2])]  # IR 3 lists weights among the inputs
    with pytest.raises(SourceError, match="no input"):
        doors.check(save(tmp_path / "o.onnx", nodes, old, [value("y", [2])], {"c": np.ones(2, np.float32)}))


def test_an_answer_that_no_input_changes(tmp_path: Path) -> None:
    node, x, y = helper.make_node, value("x", [1, 8]), value("y", [1, 8])
    constant = helper.make_tensor("k", TensorProto.FLOAT, [1, 8], [1.0] * 8)
    still = [node("Constant", [], ["k"], value=constant), node("Relu", ["k"], ["y"])]
    with pytest.raises(SourceError, match="no output depends on an input") as refused:
        doors.check(save(tmp_path / "still.onnx", still, [x], [y], {}))
    assert "export it again" in refused.value.next
    inner = helper.make_graph([node("Add", ["x", "k"], ["a"])], "t", [], [value("a", [1, 8])])
    other = helper.make_graph([node("Identity", ["k"], ["b"])], "e", [], [value("b", [1, 8])])
    branch = [node("If", ["c"], ["y"], then_branch=inner, else_branch=other)]
    fixed = {"c": np.array(True), "k": np.ones((1, 8), np.float32)}
    doors.check(save(tmp_path / "branch.onnx", branch, [x], [y], fixed))
    drawn = [node("RandomNormal", [], ["y"], shape=[1, 8])]
    doors.check(save(tmp_path / "drawn.onnx", drawn, [x], [y], {}))
