"""Graphs that ONNX Runtime takes and the ONNX checker does not: what they lack is filled in, and said."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import helper

from edgekit.errors import SourceError
from edgekit.sources import open_source
from tests.unit.sources import odd_graphs
from tests.unit.sources.odd_graphs import F, const, save, value
from tests.unit.sources.tiny_models import edit_onnx

pytestmark = pytest.mark.unit


def bare(*tensors: Any) -> None:
    for tensor in tensors:
        tensor.type.tensor_type.ClearField("shape")


def untyped(graph: Any) -> None:
    graph.output[0].ClearField("type")


def reversed_nodes(graph: Any) -> None:
    nodes = list(graph.node)[::-1]
    del graph.node[:]
    graph.node.extend(nodes)


LACKS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "the shape of an output": (lambda graph: bare(graph.output[0]), "outputs had no shape (y)"),
    "the type of an output": (untyped, "outputs had no shape (y)"),
    "the name": (lambda graph: graph.ClearField("name"), "the graph had no name"),
    "the order": (reversed_nodes, "not in the order of their inputs"),
}


@pytest.mark.parametrize(("lack", "said"), LACKS.values(), ids=LACKS)
def test_what_follows_is_filled_in(lack: Callable[[Any], Any], said: str, tmp_path: Path) -> None:
    path = edit_onnx(net(tmp_path), lambda proto: lack(proto.graph))
    source = open_source(str(path))
    assert said in source.model.repairs[0] and len(source.model.repairs) == 1
    assert [tensor.shape for tensor in (*source.model.inputs, *source.model.outputs)] == [
        ("n", 3, 8, 8),
        ("n", 4, 1, 1),
    ]
    onnx.checker.check_model(str(source.path))
    assert source.path != path and source.ref == path.name


def test_a_whole_graph_stays_where_it_is(tmp_path: Path) -> None:
    path = net(tmp_path)
    source = open_source(str(path))
    assert source.path == path and not source.model.repairs


def test_an_input_has_the_dimensions_that_its_operators_take(tmp_path: Path) -> None:
    path = edit_onnx(net(tmp_path), lambda proto: bare(proto.graph.input[0], proto.graph.output[0]))
    source = open_source(str(path))
    assert source.model.inputs[0].shape == ("x_0", 3, "x_2", "x_3")
    assert source.model.outputs[0].shape[:2] == ("x_0", 4)
    assert "4 dimensions" in source.model.repairs[0]


def test_a_weight_among_the_inputs_has_its_own_shape(tmp_path: Path) -> None:
    def change(proto: Any) -> None:
        proto.ir_version = 3
        proto.opset_import[0].version = 9
        proto.graph.input.append(helper.make_tensor_value_info("k", F, None))

    source = open_source(str(edit_onnx(net(tmp_path), change)))
    assert [tensor.name for tensor in source.model.inputs] == ["x"]
    assert source.model.repairs == ("the weight k had no shape among the inputs",)


def test_an_input_of_any_dimensions_is_refused_with_a_line_that_writes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = odd_graphs.no_shape(tmp_path)
    with pytest.raises(SourceError, match="'x' has no shape, not even a number of dimensions") as error:
        open_source(str(path))
    line = shlex.split(error.value.next[error.value.next.index("python -c") :])[2]
    monkeypatch.chdir(tmp_path)
    exec(line, {})
    assert open_source("m.shaped.onnx").model.inputs[0].shape == ("batch", 3, 224, 224)


def test_nodes_in_a_circle_stay_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    path = save(tmp_path / "m.onnx", nodes, [value("x", F, 4)], [value("b", F, 4)])
    with pytest.raises(SourceError, match="is not valid ONNX"):
        open_source(str(path))


def net(folder: Path) -> Path:
    """A convolution, and the mean of what it makes."""
    nodes = [helper.make_node("Conv", ["x", "k"], ["c"]), helper.make_node("GlobalAveragePool", ["c"], ["y"])]
    weights = [const("k", 4, 3, 3, 3)]
    return save(folder / "m.onnx", nodes, [value("x", F, "n", 3, 8, 8)], [value("y", F, "n", 4, 1, 1)], weights)
