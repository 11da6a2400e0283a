"""What an ONNX graph consists of, read from the graph alone: its external data is described, never opened."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO

from edgekit.data import Strict
from edgekit.errors import BundleError
from edgekit.sources.facts.onnx_graph import bodies

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


class Graph:
    """A parsed .onnx file.

    Raises:
        BundleError: the bytes are not an ONNX model.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        from google.protobuf.message import DecodeError
        from onnx import ModelProto

        self._name = name
        try:
            self.model: ModelProto = ModelProto.FromString(_bounded(stream))
        except DecodeError:
            raise BundleError(f"{name!r} is not an ONNX model", next="build the bundle again") from None

    @cached_property
    def nodes(self) -> list[NodeProto]:
        """Every node, those of subgraphs and local functions among them."""
        return [node for body in bodies(self.model) for node in body.node]

    @cached_property
    def tensors(self) -> list[tuple[str, TensorProto]]:
        """Every constant tensor with its name, at every depth: initializers and values of Constant nodes."""
        found = []
        for body in bodies(self.model):
            found += [(tensor.name, tensor) for tensor in getattr(body, "initializer", ())]
            for sparse in getattr(body, "sparse_initializer", ()):
                found += [(sparse.values.name, sparse.values), (sparse.values.name, sparse.indices)]
            for node in body.node:
                name = node.output[0] if node.output else ""
                for attribute in node.attribute:
                    found += [(name, tensor) for tensor in (attribute.t, *attribute.tensors) if tensor.data_type]
        return found

    def facts(self) -> GraphFacts:
        """Operators by name (with their domain, but for ONNX's own) and constant tensors by precision.

        Raises:
            BundleError: a name of an operator or of a domain is not UTF-8; protobuf gives its bytes.
        """
        names = [text for node in self.nodes for text in (node.op_type, node.domain)]
        if not all(isinstance(text, str) for text in (*names, *(item.domain for item in self.model.opset_import))):
            raise BundleError(
                f"{self._name!r} is not an ONNX model: a name in it is not UTF-8", next="build the bundle again"
            )
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
