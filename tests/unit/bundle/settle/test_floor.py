"""The runtime floor: what releases load, and lowering a graph to what an older one does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from edgekit.bundle.settle import floor
from edgekit.ep._releases import numbers, releases
from edgekit.errors import BuildError, UsageError
from edgekit.sources.facts import loadable
from tests.unit.partition.small_graphs import branch, conv, matmul_nbits, model, node, save, weight

pytestmark = pytest.mark.unit


def test_rows_rise_and_versions_find_theirs() -> None:
    table = releases()
    rows = [(numbers(row.version), row.opset, row.ir) for row in table.release]
    assert rows == sorted(rows)
    assert table.of("1.24.2").version == "1.24" and table.of("1.99.0").version == table.release[-1].version
    for wrong, words in (("1.2.0", "older than"), ("1.24rc1", "no version"), ("", "no version")):
        with pytest.raises(UsageError, match=words):
            table.of(wrong)


@pytest.mark.parametrize(
    ("proto", "version", "axes", "needs"),
    [
        (conv(), "1.20.1", [], []),
        (model([node("Relu", "x")], {"x": [2]}, ir=11), "1.22.0", ["ir"], ["1.23"]),
        (model([node("Relu", "x")], {"x": [2]}, opset=23, ir=10), "1.20.1", ["opset"], ["1.23"]),
        (matmul_nbits(), "1.20.1", [], []),
        (
            model([node("GatherBlockQuantized", "w x s", domain="com.microsoft", bits=8)], {"x": ([1], "int64")}),
            "1.19.2",
            ["operator", "attribute"],
            ["1.20", "1.23"],
        ),
        (
            model([node("GroupQueryAttention", "x k v a b c d e f g h", domain="com.microsoft")], {"x": [1]}),
            "1.20.1",
            ["inputs"],
            ["1.22"],
        ),
        (model([node("Nothing", "x", domain="com.microsoft")], {"x": [1]}), "1.32.0", ["operator"], [None]),
        (model([node("Conv", "x", domain="com.microsoft.nchwc")], {"x": [1]}), "1.32.0", ["operator"], [None]),
    ],
    ids=[
        "plain",
        "ir",
        "opset",
        "int4 weights",
        "newer contrib",
        "more inputs",
        "unknown contrib",
        "a layout of one CPU",
    ],
)
def test_a_problem_names_the_release_that_loads_it(
    proto: Any, version: str, axes: list[str], needs: list[str | None], tmp_path: Path
) -> None:
    found = loadable.check(save(tmp_path, proto), version)
    assert [one.axis for one in found] == axes
    assert [one.needs for one in found] == needs
    assert all(one.text and "\n" not in one.text for one in found)


def test_element_types_are_looked_for_in_bodies_too(tmp_path: Path) -> None:
    proto = branch()
    tensor = onnx.TensorProto(name="q", data_type=TensorProto.INT4, dims=[2], raw_data=b"\x12")
    proto.graph.node[1].attribute[0].g.initializer.append(tensor)
    assert [one.axis for one in loadable.check(save(tmp_path, proto), "1.18.1")] == ["dtype"]
    assert not loadable.check(save(tmp_path, proto), "1.19.2")


def test_a_graph_that_loads_is_not_touched(tmp_path: Path) -> None:
    path = save(tmp_path, conv())
    before = path.read_bytes()
    assert floor.downgrade(path, "1.24.2") == ()
    assert path.read_bytes() == before


def test_the_ir_version_is_lowered(tmp_path: Path) -> None:
    path = save(tmp_path, model([node("Relu", "x")], {"x": [2]}, ir=13))
    assert floor.downgrade(path, "1.20.1") == ("IR version 13 lowered to 10",)
    assert onnx.load(str(path)).ir_version == 10 and not loadable.check(path, "1.20.1")


def test_an_opset_is_lowered_without_conversion_where_no_operator_changed(tmp_path: Path) -> None:
    """Relu's form is of opset 14: a graph of opset 23 with nothing else is one of opset 21."""
    path = save(tmp_path, model([node("Relu", "x")], {"x": [2]}, opset=23, ir=10))
    (change,) = floor.downgrade(path, "1.20.1")
    assert change.startswith("opset 23 lowered to 21") and not loadable.check(path, "1.20.1")


def test_a_newer_contrib_operator_cannot_be_lowered(tmp_path: Path) -> None:
    proto = model([node("GatherBlockQuantized", "w x s", domain="com.microsoft", bits=8)], {"x": ([1], "int64")})
    with pytest.raises(BuildError, match="bits of GatherBlockQuantized exists from"):
        floor.downgrade(save(tmp_path, proto), "1.22.1")


def test_a_changed_operator_with_weights_elsewhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    proto = model(
        [node("Reshape", "x s", "r"), node("MatMul", "r w")],
        {"x": [2, 6]},
        {"s": np.array([3, 4]), "w": weight(4, 4)},
        opset=23,
        ir=10,
    )
    onnx.save(proto, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(BuildError, match="lie in another file"):
        floor.downgrade(path, "1.20.1")
