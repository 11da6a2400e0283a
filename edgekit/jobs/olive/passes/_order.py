"""The order of a graph's nodes.

Not onnx-ir's TopologicalSortPass: it moves nodes that stand right, and writes the rest of the file anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def in_order(model: Any) -> Any:
    """The model, each node after those whose outputs it reads; nodes that stand right keep their order.

    Branches and bodies are sorted too. Nodes in a circle are left as they are: no order helps them.
    """
    _sort(model.graph)
    return model


def _sort(graph: Any) -> None:
    for node in graph.node:
        for inner in _graphs(node):
            _sort(inner)
    missing = {name for node in graph.node for name in node.output if name}
    waiting, placed = list(graph.node), []
    while waiting:
        left = []
        for node in waiting:
            if missing.isdisjoint(reads(node)):
                placed.append(node)
                missing.difference_update(node.output)
            else:
                left.append(node)
        if len(left) == len(waiting):
            return
        waiting = left
    copies = [type(node).FromString(node.SerializeToString()) for node in placed]
    del graph.node[:]
    graph.node.extend(copies)


def _graphs(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        yield from (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs


def reads(node: Any) -> Iterator[str]:
    """Names a node reads, those inside its branches and bodies among them."""
    yield from node.input
    for graph in _graphs(node):
        yield from (value.name for value in graph.output)
        for inner in graph.node:
            yield from reads(inner)
