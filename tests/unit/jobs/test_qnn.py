"""What QNN says of a model, as the error of whoever can mend it."""

from __future__ import annotations

import pytest

from edgekit.jobs.qnn import refusal

pytestmark = pytest.mark.unit

# onnxruntime-qnn 2.6.0, of a graph with a slice of no rows, and of a node that it does not take
EMPTY = (
    "[ONNXRuntimeError] : 11 : EP_FAIL : Failed to setup QNN input tensors for graph: "
    "QNNExecutionProvider_QNNExecutionProvider_4534053821767735619_3_1. Zero tensor size!"
)
LEFT = "[ONNXRuntimeError] : 1 : FAIL : This session contains graph nodes that are assigned to the default CPU EP"


def test_a_tensor_of_no_elements_is_the_model_s() -> None:
    error = refusal("model.onnx", EMPTY)
    assert error.exit_code == 4 and "without elements" in error.message and "export it without" in (error.next or "")


def test_anything_else_is_the_build_s() -> None:
    error = refusal("model.onnx", f"{LEFT}\nmore")
    assert error.exit_code == 5 and error.message == f"QNN cannot open model.onnx: {LEFT}"
