"""A QDQ graph beside the float graph it was made of: any of its operators can be turned back to float."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from functools import cached_property
from math import prod
from typing import Any

from edgekit.jobs.olive.passes import _order


def named(model: Any, operators: Collection[str]) -> Any:
    """The model, its operators of these types with names of their own: quantized ones are found again by them."""
    taken: set[str] = set()
    for at, node in enumerate(model.graph.node):
        if node.op_type in operators and (not node.name or node.name in taken):
            node.name = f"{node.op_type}_{at}_{node.output[0]}"
        taken.add(node.name)
    return model


def one_scale(model: Any, operators: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """ONNX Runtime's TensorQuantOverrides that give the weights of operators of these types one scale each."""
    constants = {tensor.name for tensor in model.graph.initializer}
    weights = (node.input[1] for node in model.graph.node if node.op_type in operators and len(node.input) > 1)
    return {name: [{"symmetric": True}] for name in weights if name in constants}


class QdqGraph:
    """A prepared float model and what ONNX Runtime's quantizer made of it.

    Attributes:
        prepared: the float model.
        operators: names of the quantized operators, in the graph's order.
    """

    def __init__(self, prepared: Any, quantized: Any, types: Collection[str]) -> None:
        self.prepared = prepared
        self._quantized = quantized
        self._constants = {tensor.name: tensor for tensor in prepared.graph.initializer}
        self._floats = {node.name: node for node in prepared.graph.node if node.name}
        dequantized = self._made_by("DequantizeLinear")
        self.operators = [
            node.name
            for node in quantized.graph.node
            if node.op_type in types and node.name in self._floats and node.input[0] in dequantized
        ]

    def weights(self, names: Collection[str]) -> int:
        """Values in the constant inputs of these operators."""
        return sum(
            prod(self._constants[value].dims)
            for name in names
            for value in self._floats[name].input
            if value in self._constants
        )

    def thinned(self, chosen: Collection[str]) -> Any:
        """A copy in which only these operators are quantized: the others get their float weights back, and a pair of
        Quantize and Dequantize stays only where it stands before or behind a quantized operator.
        """
        from onnx import ModelProto

        model = ModelProto()
        model.CopyFrom(self._quantized)
        kept = set(chosen)
        back = [node for node in model.graph.node if node.name in self.operators and node.name not in kept]
        constants = self._restore(model, back)
        self._drop_pairs(model, kept)
        _drop_unused(model, constants)
        return model

    def _made_by(self, op_type: str) -> set[str]:
        return {output for node in self._quantized.graph.node if node.op_type == op_type for output in node.output}

    @cached_property
    def _pairs(self) -> list[tuple[str, str, str]]:
        """(tensor, quantized, dequantized) of each pair around an activation."""
        nodes = self._quantized.graph.node
        quantizers = {node.output[0]: node.input[0] for node in nodes if node.op_type == "QuantizeLinear"}
        return [
            (quantizers[node.input[0]], node.input[0], node.output[0])
            for node in nodes
            if node.op_type == "DequantizeLinear" and node.input[0] in quantizers
        ]

    def _restore(self, model: Any, nodes: Iterable[Any]) -> list[Any]:
        """Put the float constants back behind the inputs of these operators; returns them as initializers."""
        activations = {dequantized for _, _, dequantized in self._pairs}
        found: dict[str, Any] = {}
        for node in nodes:
            for at, name in enumerate(self._floats[node.name].input):
                if name in self._constants and node.input[at] not in activations:
                    node.input[at] = found.setdefault(name, _copy(self._constants[name])).name
        return list(found.values())

    def _drop_pairs(self, model: Any, kept: set[str]) -> None:
        producer = {output: node.name for node in model.graph.node for output in node.output}
        consumers = defaultdict(set)
        for node in model.graph.node:
            for name in node.input:
                consumers[name].add(node.name)
        outputs = {value.name for value in model.graph.output}
        reads: dict[str, str] = {}  # other names for what operators read, and write
        writes: dict[str, str] = {}
        for tensor, _, dequantized in self._pairs:
            if producer.get(tensor) in kept or consumers[dequantized] & kept:
                continue
            if dequantized in outputs:  # an output keeps its name: the quantizer had renamed what the operator writes
                reads[tensor] = writes[tensor] = dequantized
            else:
                reads[dequantized] = tensor
        survivors = [
            node
            for node in model.graph.node
            if not (node.op_type == "DequantizeLinear" and node.output[0] in writes.values())
        ]
        for node in survivors:
            _rename_reads(node, reads)
            node.output[:] = [writes.get(name, name) for name in node.output]
        del model.graph.node[:]
        model.graph.node.extend(survivors)


def _rename_reads(node: Any, names: dict[str, str]) -> None:
    """Let a node, and the nodes of its subgraphs, read tensors under other names."""
    node.input[:] = [names.get(name, name) for name in node.input]
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                _rename_reads(inner, names)


def _drop_unused(model: Any, constants: Iterable[Any]) -> None:
    """Keep the nodes and initializers that lead to an output, each node behind what it reads: the quantizer's own sort
    does not look into subgraphs.
    """
    makers = {output: at for at, node in enumerate(model.graph.node) for output in node.output if output}
    reads = [set(_order.reads(node)) for node in model.graph.node]
    order: list[int] = []
    placed: set[int] = set()
    waiting = [makers[value.name] for value in reversed(model.graph.output) if value.name in makers]
    while waiting:
        at = waiting[-1]
        first = [makers[name] for name in sorted(reads[at]) if name in makers and makers[name] not in placed]
        if at in placed or not first:
            waiting.pop()
            if at not in placed:
                placed.add(at)
                order.append(at)
        else:
            waiting += first
    needed = set().union({value.name for value in model.graph.output}, *(reads[at] for at in order))
    nodes = [model.graph.node[at] for at in order]
    used = [one for one in (*model.graph.initializer, *constants) if one.name in needed]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    del model.graph.initializer[:]
    model.graph.initializer.extend(used)


def _copy(constant: Any) -> Any:
    """The float constant under a name of its own: the quantizer gives a dequantized bias the name of the float one."""
    from onnx import TensorProto

    copied = TensorProto()
    copied.CopyFrom(constant)
    copied.name = f"{constant.name}_float"
    return copied
