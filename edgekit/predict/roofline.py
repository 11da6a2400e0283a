"""How fast a CPU answers: what its memory delivers bounds an answer, what its cores compute bounds a prompt.

A machine reaches a share of either; which share is fitted on published figures, and held against others.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

BITS = {"q4_0": 4.5, "8da4w": 4.5, "int4": 4.625, "w4a16": 4.0, "4-bit": 4.5}  # of a weight, with its block's scale


def read_weights(parameters: int, embeddings: int, tied: bool) -> int:
    """The weights that a token of an answer reads: all but a table of embeddings that is no output layer too."""
    return parameters if tied else parameters - embeddings


def ideal_decode_tps(weight_bytes: float, cache_bytes: float, bytes_per_s: float) -> float:
    """Tokens a second of an answer where memory delivers all that it can."""
    return bytes_per_s / (weight_bytes + cache_bytes)


def ideal_prefill_tps(weights: int, cycles_per_s: float) -> float:
    """Tokens a second of a prompt at one operation a cycle and core; a weight takes a product and a sum."""
    return cycles_per_s / (2 * weights)


def share(measured: Sequence[float], ideal: Sequence[float]) -> float | None:
    """The share of the ideal that is reached: the geometric mean, for errors are factors. None without figures."""
    ratios = [log(reached / best) for reached, best in zip(measured, ideal, strict=True)]
    return exp(sum(ratios) / len(ratios)) if ratios else None


def factor(predicted: float, measured: float) -> float:
    """How far apart two figures are: 1 where they are equal, 2 where one is twice the other."""
    return max(predicted / measured, measured / predicted)
