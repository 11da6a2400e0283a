"""The partitioning, held against ONNX Runtime's own Python copy of it, mobile_helpers/usability_checker.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx.backend.test import data
from onnxruntime.tools.mobile_helpers import usability_checker

from edgekit import partition
from edgekit.partition._graph import shown
from edgekit.partition._place import groups
from edgekit.partition._units import Unit
from tests.unit.partition.small_graphs import matmul_nbits, model, node, save

pytestmark = pytest.mark.runtimes

TABLE = Path(usability_checker.__file__).parent / "nnapi_supported_ops.md"
NETS = sorted(Path(*data.__path__, "light").glob("*.onnx"))


@pytest.mark.parametrize("path", NETS, ids=lambda path: path.stem)
def test_nine_classic_nets_fall_into_the_same_pieces(path: Path) -> None:
    """By operator alone, as ONNX Runtime's helper does it; taking one operator away makes more pieces."""
    view = shown(path, optimize=False).view
    units = [Unit(one, (), (), (one,)) for one in view.nodes]
    for without in ("", "Relu", "Concat", "MaxPool"):
        checker = usability_checker._SupportedOpsChecker(str(TABLE))
        checker._ops.pop(f"ai.onnx:{without}", None)
        theirs = usability_checker.check_partitioning(view.graph, checker, False)
        ours = groups(view, units, lambda unit, made, known=checker._ops: unit.node.operator in known)
        assert sum(map(len, ours)) == theirs.num_supported_nodes
        assert len(ours) == theirs.num_partitions
        assert sorted(sorted(unit.node.op for unit in piece) for piece in ours) == sorted(
            sorted(one.op_type for one in piece) for piece in theirs.supported_groups
        )


def test_the_helper_crashes_where_we_do_not(tmp_path: Path) -> None:
    """int4 weights without value_info: the reason why the helper itself is not what edgekit calls."""
    proto = matmul_nbits()
    proto.graph.node[0].output[0] = "m"
    proto.graph.node.append(node("Sigmoid", "m"))
    checker = usability_checker._SupportedOpsChecker(str(TABLE))
    with pytest.raises(ValueError, match="infer_shapes"):
        usability_checker.check_partitioning(proto.graph, checker, True)
    assert partition.predict(save(tmp_path, proto), "nnapi", optimize=False).nodes_taken == 1


def test_round_trips_are_the_longest_chain(tmp_path: Path) -> None:
    """Five layers with one operator between each that is left: four trips in a row, whatever runs beside them."""
    nodes = []
    for layer in range(5):
        nodes.append(node("Relu", "x" if layer == 0 else f"e{layer - 1}", f"r{layer}"))
        if layer < 4:
            nodes.append(node("Erf", f"r{layer}", f"e{layer}"))
    nodes += [node("Erf", "x", "side"), node("Add", "r4 side", "y")]
    found = partition.predict(save(tmp_path, model(nodes, {"x": [1, 4]})), "nnapi", optimize=False)
    assert (found.partitions, found.round_trips, found.nodes_by_ep) == (5, 4, {"cpu": 5, "nnapi": 6})
