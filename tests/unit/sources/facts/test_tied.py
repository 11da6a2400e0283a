"""Graphs that run only where they were made are refused by their operators, with what to give instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import SourceError
from edgekit.sources.facts import tied
from tests.unit.inputs.nets import value

pytestmark = pytest.mark.unit
node = helper.make_node

REFUSED: dict[str, tuple[Any, str]] = {
    "a session's optimized file": (
        node("ReorderInput", ["x"], ["y"], domain="com.microsoft.nchwc"),
        "as it was exported",
    ),
    "XNNPACK's": (node("Conv", ["x"], ["y"], domain="com.ms.internal.nhwc"), "as it was exported"),
    "QNN's context": (
        node("EPContext", ["x"], ["y"], domain="com.microsoft", source="QNNExecutionProvider"),
        "that it was compiled from",
    ),
    "onnxruntime-extensions": (
        node("DecodeImage", ["x"], ["y"], domain="com.microsoft.extensions"),
        "without its pre- and post-processing",
    ),
    "its older name": (node("GPT2Tokenizer", ["x"], ["y"], domain="ai.onnx.contrib"), "without its pre-"),
    "mmdeploy": (node("MMCVRoiAlign", ["x"], ["y"], domain="mmdeploy"), "mmdeploy's onnxruntime config"),
    "TensorRT": (node("EfficientNMS_TRT", ["x"], ["y"], domain="trt.plugins"), "without TensorRT's plugins"),
    "PyTorch's fallback": (node("ATen", ["x"], ["y"], domain="org.pytorch.aten"), "dynamo=True"),
    "a vendor": (node("Prelu", ["x"], ["y"], domain="com.vendor.npu"), "plain ONNX operators"),
    "lower case by the system's locale": (
        node("StringNormalizer", ["x"], ["y"], case_change_action="LOWER"),
        "normalize the text in the app",
    ),
    "a locale of its own": (
        node("StringNormalizer", ["x"], ["y"], case_change_action="UPPER", locale="de_DE"),
        "normalize the text in the app",
    ),
}
TAKEN = {
    "words left out as they stand": node("StringNormalizer", ["x"], ["y"], stopwords=["a"], is_case_sensitive=1),
    "the locale of every system": node("StringNormalizer", ["x"], ["y"], case_change_action="LOWER", locale="C"),
    "a contributed operator": node("Gelu", ["x"], ["y"], domain="com.microsoft"),
    "a tree": node("Normalizer", ["x"], ["y"], domain="ai.onnx.ml", norm="L2"),
}


def write(path: Path, inner: Any, **more: Any) -> Path:
    graph = helper.make_graph([inner], "g", [value("x", [1, 4])], [value("y", [1, 4])])
    opsets = [helper.make_opsetid("", 17), *([helper.make_opsetid(inner.domain, 1)] if inner.domain else [])]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8, **more).SerializeToString())
    return path


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_operator_domain_and_what_to_give(tmp_path: Path, name: str) -> None:
    inner, instead = REFUSED[name]
    with pytest.raises(SourceError) as error:
        tied.check(write(tmp_path / "m.onnx", inner))
    assert error.value.exit_code == 4
    assert f"{inner.op_type} of the domain {inner.domain or 'ai.onnx'!r}" in error.value.message
    assert instead in error.value.next


@pytest.mark.parametrize("name", TAKEN)
def test_what_every_runtime_has_is_taken(tmp_path: Path, name: str) -> None:
    tied.check(write(tmp_path / "m.onnx", TAKEN[name]))


def test_a_function_of_the_model_is_its_own_and_is_looked_into(tmp_path: Path) -> None:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mmdeploy", 1)]
    called = node("Twice", ["x"], ["y"], domain="pkg.onnxscript.torch_lib")

    def function(inner: Any) -> Any:
        return helper.make_function(called.domain, "Twice", ["x"], ["y"], [inner], opsets)

    tied.check(write(tmp_path / "own.onnx", called, functions=[function(node("Add", ["x", "x"], ["y"]))]))
    inside = function(node("MMCVRoiAlign", ["x"], ["y"], domain="mmdeploy"))
    with pytest.raises(SourceError, match="MMCVRoiAlign of the domain 'mmdeploy'"):
        tied.check(write(tmp_path / "in.onnx", called, functions=[inside]))


def test_a_branch_is_looked_into(tmp_path: Path) -> None:
    outputs = [value("inner", [1, 4])]
    branch = helper.make_graph([node("Rare", ["x"], ["inner"], domain="com.vendor")], "b", [], outputs)
    yes = numpy_helper.from_array(np.array(True), "yes")
    constant = node("Constant", [], ["yes"], value=yes)
    chosen = node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)
    graph = helper.make_graph([constant, chosen], "g", [value("x", [1, 4], TensorProto.FLOAT)], [value("y", [1, 4])])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.vendor", 1)]
    (tmp_path / "if.onnx").write_bytes(helper.make_model(graph, opset_imports=opsets).SerializeToString())
    with pytest.raises(SourceError, match=r"Rare of the domain 'com\.vendor'"):
        tied.check(tmp_path / "if.onnx")
