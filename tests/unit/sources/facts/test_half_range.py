"""What float16 cannot hold is named: masks, scales and epsilons as exporters write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

from edgekit.sources.facts.half_range import clipped
from tests.unit.inputs.nets import save, value

pytestmark = pytest.mark.unit


def net(path: Path, **constants: Any) -> Path:
    nodes, last = [], "x"
    for name in constants:
        nodes.append(helper.make_node("Add", [last, name], [f"{name}_added"]))
        last = f"{name}_added"
    nodes.append(helper.make_node("Identity", [last], ["y"]))
    return save(path, nodes, [value("x", [1, 4])], [value("y", [1, 4])], constants)


def test_masks_and_epsilons_are_named(tmp_path: Path) -> None:
    mask, epsilon = np.float32(np.finfo(np.float32).min), np.float32(1e-12)
    said = clipped(net(tmp_path / "n.onnx", mask=mask, epsilon=epsilon, scale=np.float32(50_000)))
    assert said == "constants beyond float16's range were clipped to it: mask (3.4e+38), epsilon (1e-12)"


def test_what_float16_holds_is_not(tmp_path: Path) -> None:
    weights = np.array([1e-12, 0, -3, np.inf], np.float32)  # a weight that is as good as zero
    assert clipped(net(tmp_path / "n.onnx", weights=weights, smallest=np.float32(2**-24), most=np.float32(65504))) == ""


def test_a_constant_s_node_is_read_too(tmp_path: Path) -> None:
    constant = helper.make_node("Constant", [], ["big"], value=numpy_helper.from_array(np.float32(1e5), ""))
    nodes = [constant, helper.make_node("Mul", ["x", "big"], ["y"])]
    path = save(tmp_path / "n.onnx", nodes, [value("x", [1, 4])], [value("y", [1, 4])], {})
    assert clipped(path) == "constants beyond float16's range were clipped to it: a Constant (1e+05)"
