"""What placement rules ask of a node's inputs, each by its position."""

from __future__ import annotations

from typing import Any

from edgekit.partition._view import Shape, View


class Inputs:
    """Answers from the graph of `view`; a provider's own class says which node, and how its inputs are named."""

    view: View

    def name(self, position: int) -> str:
        """The value at this position; empty where there is none."""
        raise NotImplementedError

    def shape(self, position: int) -> Shape:
        return self.view.shape(self.name(position)) or ()

    def rank(self, position: int) -> int:
        return len(self.shape(position))

    def dtype(self, position: int) -> str:
        return self.view.dtype(self.name(position))

    def constant(self, position: int) -> bool:
        return self.view.is_constant(self.name(position))

    def numbers(self, position: int) -> list[Any] | None:
        return self.view.numbers(self.name(position))
