"""A graph as execution providers look at it: nodes in order, shapes, types, constants, producers and consumers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.sources.facts.onnx_graph import TYPES

Shape = tuple[int | None, ...]  # None is a size that is not known
READABLE = 1 << 16  # elements; larger constants are never looked into
NO_END = 2**31


@dataclass(frozen=True, eq=False)
class Node:
    """One node.

    Attributes:
        operator: with its domain, "ai.onnx:Conv" or "com.microsoft:MatMulNBits".
        since: the opset version that defined this form of the operator; 1 for those ONNX does not know.
        inputs, outputs: names of values, "" for one that is left out.
    """

    index: int
    name: str
    op: str
    domain: str
    since: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    proto: Any

    @property
    def operator(self) -> str:
        return f"{self.domain or 'ai.onnx'}:{self.op}"

    def attribute(self, name: str, default: Any) -> Any:
        """The value of an attribute: int, float, str, or a list of them."""
        from onnx import helper

        found = next((one for one in self.proto.attribute if one.name == name), None)
        if found is None:
            return default
        value = helper.get_attribute_value(found)
        return value.decode(errors="replace") if isinstance(value, bytes) else value

    def has(self, position: int) -> bool:
        """True where this input is given."""
        return position < len(self.inputs) and bool(self.inputs[position])

    def subgraphs(self) -> Iterator[Any]:
        """The bodies of If, Loop and Scan."""
        for one in self.proto.attribute:
            if one.HasField("g"):
                yield one.g
            yield from one.graphs


class View:
    """One graph, and the bodies inside it as `inner`.

    Args:
        model: for its opsets and IR version.
        graph: of the model, or a body of one of its nodes.
        folder: of the model's file, for small constants that lie in another file.
        outer: the graph around this one.
    """

    def __init__(self, model: Any, graph: Any, folder: Path, outer: View | None = None, owner: str = "") -> None:
        self.model, self.graph, self.folder, self.outer = model, graph, folder, outer
        self.owner = owner  # the operator this graph is a body of; "" for the whole graph
        self.opsets = {opset.domain or "ai.onnx": opset.version for opset in model.opset_import}
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._types = {one.name: one.type.tensor_type for one in (*graph.input, *graph.output, *graph.value_info)}
        self.inputs = {one.name for one in graph.input}
        self.outputs = {one.name for one in graph.output}
        self.nodes = [self._node(index, proto) for index, proto in enumerate(graph.node)]
        self.inner = [View(model, body, folder, self, node.op) for node in self.nodes for body in node.subgraphs()]

    def _node(self, index: int, proto: Any) -> Node:
        domain = "" if proto.domain in ("", "ai.onnx") else proto.domain
        since = _since(proto.op_type, domain, self.opsets.get(domain or "ai.onnx", 1))
        name = proto.name or f"{proto.op_type}_{index}"
        return Node(index, name, proto.op_type, domain, since, tuple(proto.input), tuple(proto.output), proto)

    def all(self) -> Iterator[View]:
        """This graph and every body in it."""
        yield self
        for view in self.inner:
            yield from view.all()

    @cached_property
    def producer(self) -> dict[str, Node]:
        """The node of this graph that computes a value."""
        return {name: node for node in self.nodes for name in node.outputs if name}

    @cached_property
    def consumers(self) -> dict[str, list[Node]]:
        """The nodes of this graph that read a value, bodies of theirs included."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in {*node.inputs, *(name for body in node.subgraphs() for name in _free(body))}:
                found.setdefault(name, []).append(node)
        return found

    def shape(self, name: str) -> Shape | None:
        """The shape of a value; None where even its rank is unknown."""
        if name in self._constants:
            return tuple(self._constants[name].dims)
        found = self._types.get(name)
        if found is not None and found.HasField("shape"):
            return tuple(size.dim_value if size.HasField("dim_value") else None for size in found.shape.dim)
        return self.outer.shape(name) if self.outer and name not in self.producer else None

    def rank(self, name: str) -> int | None:
        shape = self.shape(name)
        return None if shape is None else len(shape)

    def static(self, name: str) -> bool:
        """True where every size of a value is known."""
        shape = self.shape(name)
        return shape is not None and None not in shape

    def elements(self, name: str) -> int | None:
        shape = self.shape(name)
        return None if shape is None or None in shape else prod(size for size in shape if size is not None)

    def dtype(self, name: str) -> str:
        """The element type as numpy names it; "" where it is unknown."""
        tensor = self._constants.get(name)
        kind = tensor.data_type if tensor is not None else 0
        if not kind and name in self._types:
            kind = self._types[name].elem_type
        if kind:
            return TYPES.get(kind, ("", 0))[0]
        return self.outer.dtype(name) if self.outer and name not in self.producer else ""

    def is_constant(self, name: str) -> bool:
        """True for a weight that no caller can override (from IR version 4 on, a graph input is one that can)."""
        if name in self._constants:
            return self.model.ir_version < 4 or name not in self.inputs
        return self.outer.is_constant(name) if self.outer and name not in self.producer else False

    def is_external(self, name: str) -> bool:
        """True for a weight that lies in another file."""
        tensor = self._constants.get(name)
        if tensor is not None:
            return bool(tensor.data_location == 1)  # TensorProto.EXTERNAL
        return self.outer.is_external(name) if self.outer else False

    def value(self, name: str) -> npt.NDArray[Any] | None:
        """The value of a small constant; None where it is none, large, or cannot be read."""
        if not self.is_constant(name):
            return None
        tensor = self._constants.get(name)
        if tensor is None:
            return self.outer.value(name) if self.outer else None
        return array(tensor, self.folder)

    def numbers(self, name: str) -> list[Any] | None:
        """The value of a small constant as a flat list."""
        value = self.value(name)
        return None if value is None else [*value.reshape(-1).tolist()]

    def constant_bytes(self, name: str) -> int:
        """Bytes of a weight; 0 for any other value."""
        tensor = self._constants.get(name)
        if tensor is not None:
            bits: int = prod(tensor.dims) * TYPES.get(tensor.data_type, ("", 0))[1]
            return (bits + 7) // 8
        return self.outer.constant_bytes(name) if self.outer and name not in self.producer else 0


def array(tensor: Any, folder: Path) -> npt.NDArray[Any] | None:
    """A small constant's value; None where it is large, its file is missing, or numpy has not its type.

    Args:
        folder: where the files of external data lie.
    """
    from onnx import checker, numpy_helper

    if prod(tensor.dims) > READABLE:
        return None
    try:
        return np.asarray(numpy_helper.to_array(tensor, str(folder)))
    except (OSError, ValueError, TypeError, checker.ValidationError):
        return None


def _free(graph: Any) -> set[str]:
    """The values that a body reads from around it."""
    own = {one.name for one in (*graph.input, *graph.initializer)}
    read: set[str] = set()
    for node in graph.node:
        read |= {name for name in node.input if name}
        for one in node.attribute:
            for body in ([one.g] if one.HasField("g") else []) + list(one.graphs):
                read |= _free(body)
        own |= set(node.output)
    return read - own


@lru_cache(maxsize=4096)
def _since(op: str, domain: str, opset: int) -> int:
    from onnx import defs

    try:
        return int(defs.get_schema(op, opset, domain).since_version)
    except defs.SchemaError:
        return 1
