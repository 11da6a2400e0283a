"""A node with the graph around it, as Core ML's rules ask about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgekit.partition._inputs import Inputs
from edgekit.partition._view import Node, View


@dataclass(frozen=True)
class Facts(Inputs):
    """A node with the graph around it; `program`: it becomes an ML Program, else a NeuralNetwork layer."""

    node: Node
    view: View
    program: bool
    runtime: tuple[int, ...]

    def name(self, position: int) -> str:
        return self.node.inputs[position] if self.node.has(position) else ""

    def attribute(self, name: str, default: Any) -> Any:
        return self.node.attribute(name, default)

    def floating(self, position: int) -> str:
        """base_op_builder.cc, IsInputDtypeSupport: float32, and float16 for an ML Program."""
        found = self.dtype(position)
        if found == "float32" or (found == "float16" and self.program):
            return ""
        return f"an input is {found or 'of unknown type'}, not {'float32 or float16' if self.program else 'float32'}"
