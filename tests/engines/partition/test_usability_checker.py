"""Our predictions for NNAPI and Core ML beside those of ONNX Runtime's own usability checker, node by node.

onnxruntime.tools.mobile_helpers.usability_checker knows an operator by its name, asks that every size be known, and for
Core ML that no tensor have more than five dimensions. Where the two differ, DIFFERENCES says why, once; what it does
not explain fails, and so does a row that explains nothing any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import onnx
import pytest
from onnxruntime.tools.mobile_helpers import usability_checker

from edgekit.partition import coreml, nnapi
from edgekit.partition._graph import shown
from edgekit.partition._place import Wanted, key
from edgekit.partition._tables import table
from edgekit.partition._view import Node, View
from tests.unit.partition import test_coreml, test_nnapi

pytestmark = pytest.mark.runtimes

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


class Provider(NamedTuple):
    """One of the checker's three questions, asked of our rules too."""

    module: ModuleType
    options: dict[str, str]
    table: str
    most_dimensions: int = 999


PROVIDERS = {
    "nnapi": Provider(nnapi, {}, nnapi.TABLE),
    "coreml MLProgram": Provider(coreml, {"ModelFormat": "MLProgram"}, coreml.MLPROGRAM, 5),
    "coreml NeuralNetwork": Provider(coreml, {"ModelFormat": "NeuralNetwork"}, coreml.NEURALNETWORK, 5),
}
# Whose rules, what they say -> why the checker says otherwise. "left": we leave a node that it counts, with our reason.
# "taken": we take a node that it does not count, with what it stumbles over.
DIFFERENCES = {
    ("left", r"is not constant"): "a note of its tables (Weights and bias should be constant), which it prints only",
    ("left", r"(1D|3D) convolution"): "a note of its tables (Only 2D Conv is supported)",
    ("left", r"takes 4 dimensions, not 3"): "a note of its tables (Only 2D Pool is supported)",
    ("left", r"mode is (CRD|reflect)|splits into unequal"): "a note of its tables (DCR, constant, evenly divide)",
    ("left", r"dimensions, not 5"): "NNAPI's limit of four, base_op_builder.cc: it has a limit for Core ML alone",
    ("left", r"over 16384"): "Core ML's limit of a size; it compares no sizes",
    ("left", r"must have 2 dimensions|has 1 dimension|vector of the|takes 2 inputs"): "it looks at the rank alone",
    ("left", r"\b(float16|float32|int32|uint8|different types)\b"): "it does not look at types",
    ("left", r"transA|ceil_mode|count_include_pad|output_padding|noop_with"): "it does not look at attributes",
    ("left", r"dilations|clips to|along another axis"): "it does not look at attributes",
    ("left", r"per-channel|output's scale|a quantized Sigmoid"): "it takes the nodes of a quantized group one by one",
    ("left", r"inside a body"): "it counts the bodies of If and Loop, and says that this must be checked by hand",
    ("left", r"only copy|nothing comes before it"): "it looks at one node at a time, not at what is around it",
    ("left", r"crash Core ML"): "prelu_op_builder.cc; a note of one of its tables asks for the opposite",
    ("taken", r"an input is left out"): "it takes the empty name of a left-out input for a value of unknown size",
    ("taken", r"a size varies"): "Core ML takes what varies unless RequireStaticInputShapes is on",
    ("taken", r"a size is 0"): "NNAPI's provider does not ask, base_op_builder.cc; it takes 0 for unknown",
    ("taken", r"no BatchNormalization in the table"): "batch_norm_op_builder.cc: SupportsMLProgram is true",
    ("taken", r"no Pad in the table"): "pad_op_builder.cc of 1.29 makes the ML Program's form",
    ("taken", r"no Gelu in the table"): "helper.cc, GetOpBuilder: by type alone, whatever the domain",
}


def models(folder: Path) -> Iterator[Path]:
    """The nets of the onnx package, and every small graph of our own tests."""
    yield from sorted(LIGHT.glob("*.onnx"))
    for at, case in enumerate([*test_nnapi.CASES.values(), *test_coreml.CASES.values()]):
        onnx.save(case[0], folder / f"{at}.onnx")
        yield folder / f"{at}.onnx"


def counted(view: View, provider: Provider) -> set[str]:
    """The first outputs of the nodes that the checker counts as the provider's."""
    rows = usability_checker._SupportedOpsChecker(Path(usability_checker.__file__).with_name(provider.table))
    info = usability_checker.check_partitioning(view.graph, rows, True, provider.most_dimensions)
    return {node.output[0] for group in info.supported_groups for node in group}


def stumbles(view: View, node: Node, provider: Provider) -> str:
    """What of a node the checker does not like."""
    if node.operator not in table(provider.table):
        return f"no {node.op} in the table"
    if "" in node.inputs:
        return "an input is left out"
    shapes = [view.shape(name) or (None,) for name in node.inputs]
    return "a size varies" if any(None in shape for shape in shapes) else "a size is 0"


def differences(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Provider, operator, "left" or "taken", and the reason, of each node of a model; "" twice where both agree."""
    for name, provider in PROVIDERS.items():
        graph = shown(path, optimize=False).view
        placement = provider.module.place(graph, Wanted(provider.options, (1, 32, 0), 30))
        theirs = counted(graph, provider)
        for view in graph.all():
            for node in view.nodes:
                ours = key(view, node) in placement.ep
                if ours == (node.outputs[0] in theirs):
                    yield name, node.operator, "", ""
                elif ours:
                    yield name, node.operator, "taken", stumbles(view, node, provider)
                else:
                    yield name, node.operator, "left", placement.reasons[key(view, node)]


def explanation(side: str, reason: str) -> tuple[str, str] | None:
    """The row of DIFFERENCES that explains one."""
    return next((row for row in DIFFERENCES if row[0] == side and re.search(row[1], reason)), None)


def test_every_difference_from_onnx_runtimes_own_checker_has_its_reason(tmp_path: Path) -> None:
    agreed: dict[str, int] = {}
    explained: set[Any] = set()
    strange = []
    for path in models(tmp_path):
        for name, operator, side, reason in differences(path):
            if not side:
                agreed[name] = agreed.get(name, 0) + 1
            elif row := explanation(side, reason):
                explained.add(row)
            else:
                strange.append(f"{name}, {operator}: {side}, {reason}")
    assert not strange, "\n".join(sorted(set(strange)))
    assert set(DIFFERENCES) == explained, f"explain nothing any more: {set(DIFFERENCES) - explained}"
    assert set(agreed) == set(PROVIDERS) and min(agreed.values()) > 2000
