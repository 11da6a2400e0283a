"""What an ONNX graph consists of, read from the graph alone: its external data is described, never opened."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO

from edgekit.data import Strict
from edgekit.errors import BundleError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

MAX_BYTES = 2**31 - 1  # protobuf's own limit
# Where the weights, scales and zero points stand among the inputs of operators that pack several weights to a
# byte (ONNX Runtime's ContribOperators.md): there the tensor's own type, uint8, says nothing.
_PACKED = {"MatMulNBits": (1, 2, 3), "GatherBlockQuantized": (0, 2, 3), "DequantizeLinear": (None, 1, 2)}
_DEFAULT_BLOCK = {"GatherBlockQuantized": 128}
_NUMPY_NAMES = {"float": "float32", "double": "float64"}
_BITS = {"int4": 4, "uint4": 4, "float4e2m1": 4, "int2": 2, "uint2": 2, "bool": 8, "string": 0}


class Weights(Strict):
    """The constant tensors of one precision."""

    tensors: int = 0
    parameters: int = 0
    bytes: int = 0


class GraphFacts(Strict):
    """The content of a graph and its subgraphs."""

    opset: dict[str, int]
    ops: dict[str, int]
    weights: dict[str, Weights]


@dataclass(frozen=True)
class Reference:
    """A file that a graph wants beside itself, and how many bytes it must have for that."""

    location: str
    needs: int


class Graph:
    """A parsed .onnx file.

    Raises:
        BundleError: the bytes are not an ONNX model.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        from google.protobuf.message import DecodeError
        from onnx import ModelProto

        try:
            self.model: ModelProto = ModelProto.FromString(_bounded(stream))
        except DecodeError:
            raise BundleError(f"{name!r} is not an ONNX model", next="build the bundle again") from None

    @cached_property
    def nodes(self) -> list[NodeProto]:
        """Every node, those of subgraphs and local functions among them."""
        found: list[NodeProto] = []
        open_ = [*self.model.graph.node]
        for function in self.model.functions:
            open_ += function.node
        while open_:
            node = open_.pop()
            found.append(node)
            for graph in _subgraphs(node):
                open_ += graph.node
        return found

    @cached_property
    def tensors(self) -> list[tuple[str, TensorProto]]:
        """Every constant tensor with its name, at every depth: initializers and values of Constant nodes."""
        graphs = [self.model.graph, *(graph for node in self.nodes for graph in _subgraphs(node))]
        found = [(tensor.name, tensor) for graph in graphs for tensor in graph.initializer]
        for sparse in (sparse for graph in graphs for sparse in graph.sparse_initializer):
            found += [(sparse.values.name, sparse.values), (sparse.values.name, sparse.indices)]
        for node in self.nodes:
            name = node.output[0] if node.output else ""
            for attribute in node.attribute:
                found += [(name, tensor) for tensor in (attribute.t, *attribute.tensors) if tensor.data_type]
        return found

    def facts(self) -> GraphFacts:
        """Operators by name (with their domain, but for ONNX's own) and constant tensors by precision."""
        opset = {item.domain or "ai.onnx": item.version for item in self.model.opset_import}
        ops = Counter(_operator(node) for node in self.nodes)
        roles = dict(_roles(self.nodes))
        found: dict[str, Weights] = {}
        for name, tensor in self.tensors:
            precision, bits = roles.get(name) or (_dtype(tensor), None)
            size, elements = _size(tensor)
            before = found.get(precision, Weights())
            found[precision] = Weights(
                tensors=before.tensors + 1,
                parameters=before.parameters + (size * 8 // bits if bits else elements),
                bytes=before.bytes + size,
            )
        largest = sorted(found.items(), key=lambda item: (-item[1].bytes, item[0]))
        return GraphFacts(opset=opset, ops=dict(sorted(ops.items())), weights=dict(largest))

    def references(self) -> Iterator[Reference]:
        """The files this graph names: external data, and compiled contexts that are not embedded."""
        for _, tensor in self.tensors:
            if tensor.external_data:
                record = {item.key: item.value for item in tensor.external_data}
                yield Reference(record.get("location", ""), _number(record, "offset") + _size(tensor)[0])
        for node in self.nodes:
            values = {item.name: item for item in node.attribute}
            if node.op_type == "EPContext" and "embed_mode" in values and not values["embed_mode"].i:
                location = values["ep_cache_context"].s if "ep_cache_context" in values else b""
                if location:  # only one of several that share a context names it
                    yield Reference(location.decode(errors="backslashreplace"), 0)


def _bounded(stream: BinaryIO) -> bytes:
    """At most MAX_BYTES; asking for so many at once would take them whatever the file has."""
    data = bytearray()
    while len(data) < MAX_BYTES and (chunk := stream.read(min(1 << 20, MAX_BYTES - len(data)))):
        data += chunk
    return bytes(data)


def total(facts: Iterable[GraphFacts]) -> GraphFacts:
    """Several graphs of one model as one."""
    opset: dict[str, int] = {}
    ops: Counter[str] = Counter()
    weights: dict[str, Weights] = {}
    for one in facts:
        opset |= {domain: max(version, opset.get(domain, 0)) for domain, version in one.opset.items()}
        ops.update(one.ops)
        for precision, more in one.weights.items():
            before = weights.get(precision, Weights())
            weights[precision] = Weights(
                tensors=before.tensors + more.tensors,
                parameters=before.parameters + more.parameters,
                bytes=before.bytes + more.bytes,
            )
    return GraphFacts(opset=opset, ops=dict(sorted(ops.items())), weights=weights)


def _operator(node: NodeProto) -> str:
    domain = "" if node.domain == "ai.onnx" else node.domain
    return f"{domain}:{node.op_type}" if domain else node.op_type


def _subgraphs(node: NodeProto) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _roles(nodes: Iterable[NodeProto]) -> Iterator[tuple[str, tuple[str, int | None]]]:
    """What a constant is to its operator, where its type does not tell: (words, bits or None)."""
    for node in nodes:
        if node.op_type not in _PACKED:
            continue
        weights, *others = _PACKED[node.op_type]
        for position, word in zip(others, ("scales", "zero points"), strict=True):
            if position is not None and position < len(node.input):
                yield node.input[position], (word, None)
        if weights is not None and weights < len(node.input):
            values = {item.name: item.i for item in node.attribute}
            bits = values.get("bits", 4)
            block = values.get("block_size", _DEFAULT_BLOCK.get(node.op_type, 0))
            yield node.input[weights], (f"int{bits} block-{block}", max(1, bits))


def _dtype(tensor: TensorProto) -> str:
    from onnx import TensorProto

    known = TensorProto.DataType.values()
    name = TensorProto.DataType.Name(tensor.data_type).lower() if tensor.data_type in known else "unknown"
    return _NUMPY_NAMES.get(name, name)


def _size(tensor: TensorProto) -> tuple[int, int]:
    """Bytes and elements of a constant, from its shape and type; strings count as they are stored."""
    from onnx import helper

    elements = math.prod(max(0, dim) for dim in tensor.dims)
    dtype = _dtype(tensor)
    if dtype == "string":
        return sum(map(len, tensor.string_data)), elements
    if dtype in ("unknown", "undefined"):
        return len(tensor.raw_data), elements
    bits = _BITS.get(dtype) or helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize * 8
    return (elements * bits + 7) // 8, elements


def _number(record: dict[str, str], key: str) -> int:
    text = record.get(key, "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else MAX_BYTES**2
