"""How much memory a language model takes on a CPU with a text of some length, from its parts.

Kernels keep packed weights and let go of the mapped ones, so the weights count once; the engine's own is measured with
a model of next to nothing, and what its tokenizer takes grows with the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PIECE = 128  # tokens of a prompt that a runtime reads at once, and that it has logits of


@dataclass(frozen=True)
class Parts:
    """What is known beforehand. Bytes, but for the lengths."""

    engine: int
    weights: int
    vocabulary: int
    cache_per_token: int
    tokens: int
    logit_bytes: int = 4

    @property
    def known(self) -> int:
        """All but the tokenizer."""
        logits = min(self.tokens, PIECE) * self.vocabulary * self.logit_bytes
        return self.engine + self.weights + self.cache_per_token * self.tokens + logits


def tokenizer(parts: Sequence[Parts], measured: Sequence[int]) -> float:
    """Bytes of a tokenizer for each token of its vocabulary: what measured memories have beyond what is known."""
    beyond = sum(total - each.known for each, total in zip(parts, measured, strict=True))
    return max(0.0, beyond / sum(each.vocabulary for each in parts))


def expected(parts: Parts, per_token: float) -> int:
    """The memory of a process that has read and written so many tokens."""
    return int(parts.known + parts.vocabulary * per_token)
