"""What ONNX Runtime takes and the ONNX checker does not, filled in: a name, the order of nodes, shapes left out.

A shape with no dimensions is another matter: it says that the tensor is a scalar.
"""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from edgekit.errors import SourceError
from edgekit.sources.facts.onnx_graph import parse, text, utf8

MOST = 6  # dimensions that an input's operators are asked about
WRITE = (
    "export it with shapes, or write one (the numbers are an example; a text is a size that varies): python -c "
    "\"import onnx; from onnx.helper import make_tensor_value_info as info; m = onnx.load('{path}'); "
    "m.graph.input[{at}].CopyFrom(info('{name}', {kind}, ['batch', 3, 224, 224])); onnx.save(m, '{stem}.shaped.onnx')\""
)


def mended(path: Path) -> tuple[bytes, tuple[str, ...]] | None:
    """The graph with what it lacks, and what was filled in, a line each; None where it lacks nothing of this.

    Raises:
        SourceError: an input without a shape whose operators take several numbers of dimensions.
    """
    with utf8(path):
        return _mended(path, parse(path))


def _mended(path: Path, proto: Any) -> tuple[bytes, tuple[str, ...]] | None:
    from onnx.helper import make_tensor_value_info

    if proto.functions:  # inference would follow them, and the checker has not seen yet whether they come to an end
        return None
    lines, initial = [], {tensor.name: tensor for tensor in proto.graph.initializer}
    if not proto.graph.name:
        proto.graph.name = "main"
        lines.append("the graph had no name")
    if _sort(proto.graph):
        lines.append("the graph's nodes were not in the order of their inputs: sorted")
    for at, value in enumerate(proto.graph.input):
        if not value.type.HasField("tensor_type") or value.type.tensor_type.HasField("shape"):
            continue
        if weight := initial.get(value.name):  # up to IR version 3 a weight is an input, too
            value.CopyFrom(make_tensor_value_info(text(value.name), weight.data_type, weight.dims))
            lines.append(f"the weight {text(value.name)} had no shape among the inputs")
        else:
            lines.append(_ranked(path, proto, at))
    outputs = [value for value in proto.graph.output if not value.type.tensor_type.HasField("shape")]
    if outputs:
        shaped = {value.name: value for value in _inferred(proto).graph.output}
        for value in outputs:
            value.CopyFrom(shaped[value.name])
        names = ", ".join(text(value.name) for value in outputs)
        lines.append(f"outputs had no shape ({names[:120]}): inferred")
    return (proto.SerializeToString(), tuple(lines)) if lines else None


def _ranked(path: Path, proto: Any, at: int) -> str:
    """Give an input as many open dimensions as its operators take, if that is one number; returns what was done."""
    from onnx.helper import make_tensor_value_info

    value = proto.graph.input[at]
    name, kind = text(value.name), value.type.tensor_type.elem_type
    fitting = []
    for rank in range(MOST + 1):
        value.CopyFrom(make_tensor_value_info(name, kind, [f"{name}_{axis}" for axis in range(rank)]))
        if _inferred(proto, strict=True) is not None:
            fitting.append(rank)
    if len(fitting) != 1:
        raise SourceError(
            f"{path.name}: the input {name!r} has no shape, not even a number of dimensions",
            next=WRITE.format(path=path, stem=path.stem, at=at, name=name, kind=kind),
        )
    dims: list[Any] = [f"{name}_{axis}" for axis in range(fitting[0])]
    if (channels := _channels(proto.graph, name)) and len(dims) > 1:
        dims[1] = channels
    value.CopyFrom(make_tensor_value_info(name, kind, dims))
    return f"the input {name} had no shape: {len(dims)} dimensions, for its operators take no other number"


def _channels(graph: Any, name: str) -> int:
    """The channels that a convolution of an input takes; 0 where none reads it."""
    weights = {tensor.name: tensor.dims for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Conv" and node.input[:1] == [name] and (*node.input, "")[1] in weights:
            group = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
            return int(weights[node.input[1]][1] * group)
    return 0


def _inferred(proto: Any, *, strict: bool = False) -> Any:
    """The model with all shapes that follow from its inputs'; None where `strict` and they contradict an operator."""
    from onnx.shape_inference import InferenceError, infer_shapes

    try:
        return infer_shapes(proto, check_type=strict, strict_mode=strict)
    except (InferenceError, RuntimeError, ValueError):
        return None if strict else proto


def _sort(graph: Any) -> bool:
    """Put the nodes behind those whose outputs they read; False where they stand so, or turn in a circle."""
    nodes = list(graph.node)
    maker = {name: at for at, node in enumerate(nodes) for name in node.output if name}
    before = {at: {maker[name] for name in _reads(node) if name in maker} for at, node in enumerate(nodes)}
    if all(max(read, default=-1) < at for at, read in before.items()):
        return False
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError:
        return False
    del graph.node[:]
    graph.node.extend(nodes[at] for at in order)
    return True


def _reads(node: Any) -> Iterator[str]:
    """The names that a node, or a node of its subgraphs, reads."""
    yield from node.input
    for attribute in node.attribute:
        for body in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            for inner in body.node:
                yield from _reads(inner)
