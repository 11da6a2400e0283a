"""Small nets and models for the tests of inputs: made here, run for real."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekit.model import Dim, Model, Preprocess, Tensor


def tensor(name: str, shape: Sequence[Dim], form: Preprocess | None = None, dtype: str = "float32") -> Tensor:
    return Tensor(name=name, dtype=dtype, shape=tuple(shape), preprocess=form)


def model(*inputs: Tensor, outputs: Sequence[Tensor] = ()) -> Model:
    made = tuple(outputs) or (tensor("y", ("n", 1)),)
    return Model(name="tiny", kind="tensor", sha256="0" * 64, inputs=inputs, outputs=made)


def save(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: dict[str, Any]) -> Path:
    """Write a graph of opset 17 whose constants are numpy arrays."""
    initial = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, initial)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    onnx.save(made, path)
    return path


def value(name: str, shape: Sequence[Dim], kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))


def accumulator(path: Path) -> Path:
    """sum' = sum + mean(x) * gain; y = sum'. A model whose answer is the history of its inputs."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["mean", "gain"], ["scaled"]),
        helper.make_node("Add", ["sum", "scaled"], ["next"]),
        helper.make_node("Identity", ["next"], ["y"]),
    ]
    inputs = [value("x", [1, "n"]), value("sum", [1, 1]), value("gain", [])]
    return save(path, nodes, inputs, [value("y", [1, 1]), value("next", [1, 1])], {})


def passthrough(path: Path, what: Model) -> Path:
    """A model of these inputs that gives each of them back."""
    kinds = {one.name: helper.np_dtype_to_tensor_dtype(np.dtype(one.dtype)) for one in what.inputs}
    nodes = [helper.make_node("Identity", [one.name], [f"{one.name}_out"]) for one in what.inputs]
    inputs = [value(one.name, one.shape, kinds[one.name]) for one in what.inputs]
    outputs = [value(f"{one.name}_out", one.shape, kinds[one.name]) for one in what.inputs]
    return save(path, nodes, inputs, outputs, {})
