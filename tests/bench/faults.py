"""Models with a known fault, made of sound ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from edgekit.inputs.feeds import Feed


def constant_answers(source: Path, out: Path, feeds: Sequence[Feed]) -> Path:
    """The model that answers the source's mean over these inputs, whatever it is given; integers: the commonest value.

    Answers of several shapes have no mean: there it is the first answer.
    """
    session = onnxruntime.InferenceSession(str(source), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    answers = [session.run(names, feed) for feed in feeds]
    model = onnx.load(source)
    graph = model.graph
    made = [_usual([answer[at] for answer in answers]) for at in range(len(names))]
    nodes = [helper.make_node("Identity", [f"{name}.usual"], [name]) for name in names]
    usual = [numpy_helper.from_array(array, f"{name}.usual") for name, array in zip(names, made, strict=True)]
    new = helper.make_graph(nodes, "constant", list(graph.input), list(graph.output), usual)
    onnx.save(helper.make_model(new, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), out)
    return out


def _usual(answers: list[Any]) -> Any:
    if len({answer.shape for answer in answers}) > 1:
        return answers[0]
    stacked = np.stack(answers)
    if stacked.dtype.kind == "f":
        return stacked.mean(axis=0, dtype=np.float64).astype(stacked.dtype)
    columns = stacked.reshape(len(answers), -1).T
    modes = [
        values[counts.argmax()] for values, counts in (np.unique(column, return_counts=True) for column in columns)
    ]
    return np.array(modes, stacked.dtype).reshape(stacked.shape[1:])


def swapped_layers(source: Path, out: Path) -> Path:
    """The two largest weights of one shape, exchanged."""
    model = onnx.load(source)
    weights = sorted(_weights(model), key=lambda tensor: -int(np.prod(tensor.dims)))
    for at, first in enumerate(weights):
        for second in weights[at + 1 :]:
            a, b = numpy_helper.to_array(first), numpy_helper.to_array(second)
            if a.shape == b.shape and not np.array_equal(a, b):
                first.CopyFrom(numpy_helper.from_array(b, first.name))
                second.CopyFrom(numpy_helper.from_array(a, second.name))
                onnx.save(model, out)
                return out
    raise ValueError(f"{source.name} has no two weights of one shape")


def wrong_preprocessing(source: Path, out: Path, name: str, factor: float) -> Path:
    """The model as an app uses it that forgot to scale its input."""
    model = onnx.load(source)
    for node in model.graph.node:
        node.input[:] = ["scaled_input" if read == name else read for read in node.input]
    scale = numpy_helper.from_array(np.float32(factor), "scale_of_input")
    model.graph.initializer.append(scale)
    model.graph.node.insert(0, helper.make_node("Mul", [name, "scale_of_input"], ["scaled_input"]))
    onnx.save(model, out)
    return out


def rounded_weights(source: Path, out: Path, levels: int) -> Path:
    """Every matrix and kernel rounded to so many levels, a scale for each of its first axis: 4 are two bits."""
    model = onnx.load(source)
    for tensor in _weights(model):
        values = numpy_helper.to_array(tensor)
        most = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True)
        step = np.where(most == 0, 1, most / (levels // 2))
        near = np.clip(np.round(values / step), -(levels // 2), levels // 2 - 1) * step
        tensor.CopyFrom(numpy_helper.from_array(near.astype(values.dtype), tensor.name))
    onnx.save(model, out)
    return out


def _weights(model: Any) -> list[Any]:
    """The float32 weights of at least two axes and 64 values, of the graph and its subgraphs."""
    waiting, weights = [model.graph], []
    while waiting:
        graph = waiting.pop()
        weights += [tensor for tensor in graph.initializer if tensor.data_type == 1 and len(tensor.dims) > 1]
        for node in graph.node:
            weights += [part.t for part in node.attribute if part.HasField("t") and len(part.t.dims) > 1]
            waiting += [part.g for part in node.attribute if part.HasField("g")]
    return [tensor for tensor in weights if tensor.data_type == 1 and int(np.prod(tensor.dims)) >= 64]


def other_labels(source: Path, out: Path) -> Path:
    """The first output's last axis turned by one: as of a model that was trained with other labels."""
    model = onnx.load(source)
    graph, name = model.graph, model.graph.output[0].name
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = ["own_order" if read == name else read for read in names]
    ends = {"turn.one": [1], "turn.zero": [0], "turn.end": [2**31 - 1], "turn.axis": [-1]}
    graph.initializer.extend(numpy_helper.from_array(np.array(value, np.int64), key) for key, value in ends.items())
    graph.node.extend(
        [
            helper.make_node("Slice", ["own_order", "turn.one", "turn.end", "turn.axis"], ["turn.rest"]),
            helper.make_node("Slice", ["own_order", "turn.zero", "turn.one", "turn.axis"], ["turn.first"]),
            helper.make_node("Concat", ["turn.rest", "turn.first"], [name], axis=-1),
        ]
    )
    onnx.save(model, out)
    return out
