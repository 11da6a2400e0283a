"""What a graph tells of who made it: taken out, unless it is asked to stay; what stays is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from edgekit.sources.facts import traces
from tests.unit.inputs import nets

pytestmark = pytest.mark.unit

TRACE = 'File "/home/anna/project/net.py", line 12, in forward'
INSIDE = "/home/anna/project/net.py:sum"


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """y = relu(x + 1) in a branch, with the notes that torch and others leave."""
    then = helper.make_graph(
        [helper.make_node("Relu", [INSIDE], ["r"], doc_string=TRACE)], "then", [], [nets.value("r", [1])]
    )
    other = helper.make_graph([helper.make_node("Identity", [INSIDE], ["o"])], "else", [], [nets.value("o", [1])])
    nodes = [
        helper.make_node("Add", ["x", "one"], [INSIDE], name="/home/anna/project/Add"),
        helper.make_node("If", ["yes"], ["y"], name="/layers.0/If", then_branch=then, else_branch=other),
    ]
    path = nets.save(
        tmp_path / "model.onnx",
        nodes,
        [nets.value("x", [1])],
        [nets.value("y", [1])],
        {"one": np.ones(1, np.float32), "yes": True},
    )
    proto = onnx.load(path)
    proto.doc_string = "made by Anna"
    proto.graph.node[0].metadata_props.add(key="pkg.torch.onnx.stack_trace", value=TRACE)
    proto.graph.input[0].doc_string = "Anna's"
    said = {"names": "{0: 'cat'}", "ids": "/m/0dzct/x", "author": "Anna", "description": "on /home/anna/data.yaml"}
    helper.set_model_props(proto, {**said, "docs": "https://example.org/home/x", "mail": "anna@example.org"})
    onnx.save(proto, path)
    return path


def test_people_and_places_are_taken_out_and_the_rest_is_named(graph: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    lines, new = traces.written(graph, own), own / "model.onnx"
    assert b"nna" in graph.read_bytes() and b"nna" not in new.read_bytes()
    assert "4 notes" in lines[0] and "author, description, mail" in lines[0] and "folders in 2 names" in lines[0]
    assert sorted(lines[1].rpartition(": ")[2].split(", ")) == ["docs", "ids", "names"]
    proto = onnx.load(new)
    assert [node.name for node in proto.graph.node] == ["Add", "/layers.0/If"], "torch's own names are no folders"
    onnx.checker.check_model(proto, full_check=True)
    assert traces.written(new, tmp_path / "none") == lines[1:], "nothing is left to take out"


def test_what_the_user_keeps_is_named_and_nothing_is_written(graph: Path, tmp_path: Path) -> None:
    lines = traces.written(graph, tmp_path / "none", keep=True)
    assert "keeps, as asked for" in lines[0] and "author" in lines[0] and not (tmp_path / "none").exists()


def test_a_name_that_would_be_anothers_stays(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["/tmp/a/v"]), helper.make_node("Add", ["/tmp/a/v", "v"], ["y"])]
    ends = [nets.value("x", [1])], [nets.value("y", [1])]
    path = nets.save(tmp_path / "model.onnx", nodes, *ends, {"v": np.ones(1, np.float32)})
    (line,) = traces.written(path, tmp_path / "none")
    assert "keeps its metadata: /tmp/a/v" in line


def test_a_graph_without_traces_is_left_alone(tmp_path: Path) -> None:
    path = nets.accumulator(tmp_path / "model.onnx")
    assert traces.written(path, tmp_path / "none") == ()


def test_two_graphs_are_one_model_where_only_notes_differ(graph: Path, tmp_path: Path) -> None:
    bare, other = tmp_path / "bare", tmp_path / "other"
    for folder in (bare, other):
        folder.mkdir()
    traces.written(graph, bare)
    assert traces.unlike(graph, bare / "model.onnx") == []
    path = nets.save(
        tmp_path / "w.onnx",
        [helper.make_node("Add", ["x", "w"], ["y"])],
        [nets.value("x", [400])],
        [nets.value("y", [400])],
        {"w": np.ones(400, np.float32)},
    )
    for folder in (bare, other):
        onnx.save(onnx.load(path), folder / "w.onnx", save_as_external_data=True, location="w.data", size_threshold=0)
    assert traces.unlike(bare / "w.onnx", other / "w.onnx") == []
    (other / "w.data").write_bytes(bytes(1600))
    assert traces.unlike(bare / "w.onnx", other / "w.onnx") == ["w.data"]
    assert traces.unlike(bare / "w.onnx", graph) == ["w.onnx", "w.data"]
