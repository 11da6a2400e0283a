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

    Answers of several shapes have their own shape, and the mean of all values in every place.
    """
    session = onnxruntime.InferenceSession(str(source), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    answers = [session.run(names, feed) for feed in feeds]
    if len(names) == 1 and len({answer[0].shape for answer in answers}) > 1:
        return _everywhere(source, out, np.concatenate([answer[0].reshape(-1) for answer in answers]).mean())
    model = onnx.load(source)
    graph = model.graph
    made = [_usual([answer[at] for answer in answers]) for at in range(len(names))]
    nodes = [helper.make_node("Identity", [f"{name}.usual"], [name]) for name in names]
    usual = [numpy_helper.from_array(array, f"{name}.usual") for name, array in zip(names, made, strict=True)]
    new = helper.make_graph(nodes, "constant", list(graph.input), list(graph.output), usual)
    onnx.save(helper.make_model(new, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), out)
    return out


def _everywhere(source: Path, out: Path, value: Any) -> Path:
    model = onnx.load(source)
    name = own_output(model.graph)
    model.graph.initializer.extend(
        [numpy_helper.from_array(np.float32(0), "nothing"), numpy_helper.from_array(np.float32(value), "usual")]
    )
    model.graph.node.append(helper.make_node("Mul", ["own_output", "nothing"], ["nowhere"]))
    model.graph.node.append(helper.make_node("Add", ["nowhere", "usual"], [name]))
    onnx.save(model, out)
    return out


def _usual(answers: list[Any]) -> Any:
    stacked = np.stack(answers)
    if stacked.dtype.kind == "f":
        return stacked.mean(axis=0, dtype=np.float64).astype(stacked.dtype)
    columns = stacked.reshape(len(answers), -1).T
    modes = [
        values[counts.argmax()] for values, counts in (np.unique(column, return_counts=True) for column in columns)
    ]
    return np.array(modes, stacked.dtype).reshape(stacked.shape[1:])


def swapped_layers(source: Path, out: Path, axes: int = 2) -> Path:
    """The two largest weights of one shape, exchanged; of so many axes at least."""
    model = onnx.load(source)
    weights = [tensor for tensor in _weights(model) if len(tensor.dims) >= axes]
    weights.sort(key=lambda tensor: -int(np.prod(tensor.dims)))
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
    return _changed_input(source, out, name, "Mul", np.float32(factor))


def other_ids(source: Path, out: Path, name: str) -> Path:
    """The model behind a tokenizer whose vocabulary is another: every id is the next one's."""
    return _changed_input(source, out, name, "Add", np.int64(1))


def unread_tokens(source: Path, out: Path, ids: str, mask: str, unread: Sequence[int]) -> Path:
    """The model behind a tokenizer that adds no tokens of its own: these are masked."""
    model = onnx.load(source)
    for node in model.graph.node:
        node.input[:] = ["own_mask" if read == mask else read for read in node.input]
    tokens = np.array(unread, np.int64)[:, None, None]
    axes = np.array([0], np.int64)
    model.graph.initializer.extend(
        [numpy_helper.from_array(tokens, "unread"), numpy_helper.from_array(axes, "first_axis")]
    )
    steps = [
        helper.make_node("Equal", [ids, "unread"], ["each"]),  # [tokens, texts, length]
        helper.make_node("Cast", ["each"], ["each.number"], to=onnx.TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["each.number", "first_axis"], ["any"], keepdims=0),
        helper.make_node("Cast", ["any"], ["any.integer"], to=onnx.TensorProto.INT64),
        helper.make_node("Sub", [mask, "any.integer"], ["own_mask"]),
    ]
    for step in reversed(steps):
        model.graph.node.insert(0, step)
    onnx.save(model, out)
    return out


def _changed_input(source: Path, out: Path, name: str, operator: str, operand: Any) -> Path:
    model = onnx.load(source)
    for node in model.graph.node:
        node.input[:] = ["changed_input" if read == name else read for read in node.input]
    model.graph.initializer.append(numpy_helper.from_array(operand, "change"))
    model.graph.node.insert(0, helper.make_node(operator, [name, "change"], ["changed_input"]))
    onnx.save(model, out)
    return out


def rounded_weights(source: Path, out: Path, levels: int) -> Path:
    """Every matrix and kernel rounded to so many levels, a scale for each of its first axis: 4 are two bits."""
    model = onnx.load(source)
    round_all(model, levels)
    onnx.save(model, out)
    return out


def round_all(model: Any, levels: int, kept: tuple[str, ...] = ()) -> None:
    """The same in place, but for weights whose name has one of `kept`."""
    for tensor in _weights(model):
        if any(word in tensor.name for word in kept):
            continue
        values = numpy_helper.to_array(tensor)
        most = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True)
        step = np.where(most == 0, 1, most / (levels // 2))
        near = np.clip(np.round(values / step), -(levels // 2), levels // 2 - 1) * step
        tensor.CopyFrom(numpy_helper.from_array(near.astype(values.dtype), tensor.name))


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


def other_meaning(source: Path, out: Path, operator: str, operand: float) -> Path:
    """The first output said otherwise: Sub 1 is the probability of the other of two labels, Mul 2 an octave higher."""
    model = onnx.load(source)
    name = own_output(model.graph)
    dtype = helper.tensor_dtype_to_np_dtype(model.graph.output[0].type.tensor_type.elem_type)
    order = ["other", "own_output"] if operator == "Sub" else ["own_output", "other"]
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(operand, dtype), "other"))
    model.graph.node.append(helper.make_node(operator, order, [name]))
    onnx.save(model, out)
    return out


def own_output(graph: Any) -> str:
    """The name of the first output, which from now on is "own_output" within the graph."""
    name: str = graph.output[0].name
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = ["own_output" if read == name else read for read in names]
    return name


def other_labels(source: Path, out: Path) -> Path:
    """The first output's last axis turned by one: as of a model that was trained with other labels."""
    model = onnx.load(source)
    graph = model.graph
    name = own_output(graph)
    ends = {"turn.one": [1], "turn.zero": [0], "turn.end": [2**31 - 1], "turn.axis": [-1]}
    graph.initializer.extend(numpy_helper.from_array(np.array(value, np.int64), key) for key, value in ends.items())
    graph.node.extend(
        [
            helper.make_node("Slice", ["own_output", "turn.one", "turn.end", "turn.axis"], ["turn.rest"]),
            helper.make_node("Slice", ["own_output", "turn.zero", "turn.one", "turn.axis"], ["turn.first"]),
            helper.make_node("Concat", ["turn.rest", "turn.first"], [name], axis=-1),
        ]
    )
    onnx.save(model, out)
    return out
