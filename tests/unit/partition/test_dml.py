"""What DirectML takes of small graphs. The truth is the section DmlExecutionProvider of docs/OperatorKernels.md of ONNX
Runtime 1.21.0, and kernel_registry.cc: an open-ended kernel fits the form of its own opset only."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit import partition
from edgekit.partition import dml
from tests.unit.partition.small_graphs import branch, conv, matmul_nbits, model, node, outlook, quantized, save, weight

pytestmark = pytest.mark.unit

X4 = {"x": [1, 4, 6, 6]}
CASES: dict[str, tuple[Any, int, str, str]] = {
    # name: (model, nodes taken, part of the reasons, row of the list)
    "a convolution": (conv(), 1, "", "Conv 11+ float, float16"),
    "a convolution of a newer opset": (
        model([node("Conv", "x w")], {"x": [1, 3, 8, 8]}, {"w": weight(4, 3, 3, 3)}, opset=22, ir=10),
        0,
        "opset 22 form",
        "Conv 11+, 1+",
    ),
    "float64": (
        model([node("Relu", "x")], {"x": ([2], "float64")}, opset=14),
        0,
        "takes no float64",
        "Relu 14+ float, float16, int8 ...",
    ),
    "an operator outside the list": (model([node("Det", "x")], {"x": [2, 2]}), 0, "no such operator", "no Det"),
    "int4 weights": (matmul_nbits(), 1, "", "com.microsoft MatMulNBits 1+"),
    "a branch": (branch(), 5, "", "If 16+, and its bodies' operators"),
    "quantized": (quantized("Relu", [1, 4], None), 5, "", "QuantizeLinear 13+ uint8, int8"),
    "sizes of any kind": (
        model([node("Conv", "x w")], {"x": ["n", 3, "h", "w"]}, {"w": weight(4, 3, 3, 3)}),
        1,
        "",
        "the list says nothing of sizes",
    ),
    "arithmetic on shapes": (
        model(
            [
                node("Shape", "x", "s"),
                node("Gather", "s i", "n", axis=0),
                node("Unsqueeze", "n a", "u"),
                node("Concat", "u rest", "t", axis=0),
                node("Reshape", "x t"),
            ],
            {"x": ["n", 4, 6, 6]},
            {"i": np.int64(0), "a": np.array([0]), "rest": np.array([-1])},
        ),
        2,
        "computes on shapes",
        "fallback_cpu_capability.cc: Gather, Unsqueeze and Concat stay on the CPU",
    ),
}


# A row of the list with its versions, an operator it has not, a file of ONNX Runtime, or what the list does not say.
SOURCE = re.compile(r"\d\+|^no \w|\.cc\b|^the list says nothing")


@pytest.mark.parametrize("name", CASES)
def test_the_truth_of_the_list(name: str, tmp_path: Path) -> None:
    proto, taken, reason, source = CASES[name]
    assert SOURCE.search(source), "where the truth of it stands"
    count, reasons = outlook(partition.predict(save(tmp_path, proto), "dml", optimize=False), "dml")
    assert count == taken, reasons
    assert reason in reasons


@pytest.mark.parametrize(
    ("opset", "since", "fits"),
    [
        ("13+", 13, True),
        ("13+", 14, False),
        ("13+", 7, False),
        ("[6, 12]", 6, True),
        ("[6, 12]", 12, True),
        ("[6, 12]", 13, False),
    ],
)
def test_versions_fit_as_the_kernel_registry_says(opset: str, since: int, fits: bool) -> None:
    assert dml._covers(opset, since) is fits


def test_the_list_is_whole() -> None:
    """205 operators in the section, and the forms of some that are easily lost when parsing."""
    known = dml.operators()
    assert len(known) == 205
    assert [form["opset"] for form in known["ai.onnx:Conv"]] == ["11+", "1+"]
    assert known["com.microsoft:MatMulNBits"][0]["types"]["T1"] == "float float16"
    assert all(form["opset"] for forms in known.values() for form in forms)
