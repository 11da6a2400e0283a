"""The graph that providers are shown: optimized where ONNX Runtime can, folded and inferred where it cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit import partition
from edgekit.partition._graph import shown
from tests.unit.partition.small_graphs import model, node, outlook, save, weight

pytestmark = pytest.mark.runtimes


def shape_chain() -> onnx.ModelProto:
    """A reshape whose new shape is computed from the input's sizes, as PyTorch exports it; the sizes are known."""
    return model(
        [
            node("Conv", "x w", "a"),
            node("Shape", "a", "s"),
            node("Gather", "s i", "n", axis=0),
            node("Unsqueeze", "n a0", "u"),
            node("Concat", "u rest", "t", axis=0),
            node("Reshape", "a t", "r"),
            node("Relu", "r"),
        ],
        {"x": [1, 3, 8, 8]},
        {"w": weight(4, 3, 3, 3), "i": np.int64(0), "a0": np.array([0]), "rest": np.array([-1])},
    )


@pytest.mark.parametrize("optimize", [True, False])
def test_arithmetic_on_known_shapes_folds_away(optimize: bool, tmp_path: Path) -> None:
    found = partition.predict(save(tmp_path, shape_chain()), "nnapi", optimize=optimize)
    assert (found.nodes, found.nodes_taken, found.partitions) == (3, 3, 1)
    assert ("optimizations of onnxruntime" if optimize else "as written") in found.graph


@pytest.mark.parametrize("optimize", [True, False])
def test_shapes_are_known_without_value_info(optimize: bool, tmp_path: Path) -> None:
    proto = shape_chain()
    assert not proto.graph.value_info
    view = shown(save(tmp_path, proto), optimize=optimize).view
    last = view.nodes[-1]
    assert last.op == "Relu" and view.shape(last.inputs[0]) == (1, 144) and view.dtype(last.inputs[0]) == "float32"


def test_value_info_that_is_there_is_used(tmp_path: Path) -> None:
    """Behind an operator that nobody knows, only the file itself can say what there is."""
    nodes = [node("Mystery", "x", "a", domain="elsewhere"), node("Relu", "a")]
    proto = model(nodes, {"x": [1, 4]})
    path = save(tmp_path, proto)
    assert "ai.onnx:Relu: the shape of an input is not known" in outlook(partition.predict(path, "nnapi"), "nnapi")[1]
    proto.graph.value_info.append(helper.make_tensor_value_info("a", TensorProto.FLOAT, [1, 4]))
    found = partition.predict(save(tmp_path, proto), "nnapi")
    assert found.nodes_taken == 1 and "as written" in found.graph


def test_fused_operators_are_looked_at_as_the_provider_sees_them(tmp_path: Path) -> None:
    """ONNX Runtime makes one Gemm of MatMul and Add before it asks: NNAPI then sees a bias that is a vector."""
    proto = model([node("MatMul", "x w", "m"), node("Add", "m b")], {"x": [2, 8]}, {"w": weight(8, 5), "b": weight(5)})
    path = save(tmp_path, proto)
    assert partition.predict(path, "nnapi").nodes == 1
    assert partition.predict(path, "nnapi", optimize=False).nodes == 2
