"""Outputs of which the model itself says how many rows they have: a detector that suppresses boxes in its graph.

A score beside the threshold falls on one side or the other in any other arithmetic, so a row more or less is no other
shape. Whole numbers are compared as sets of rows, in any order; of floats the number of rows is, and their values in
the calls where it is the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
RANK = -1
MOST = 0.5  # of the calls; where more have another number of rows, they are other shapes


def axes(calls: Iterable[tuple[Arrays, Arrays]]) -> dict[str, int]:
    """The axis of each output of the source that differs between calls whose inputs have the same shapes.

    Args:
        calls: inputs and outputs of each. An output that differs in two axes, or in its rank, is left out.
    """
    shapes: dict[str, dict[str, set[tuple[int, ...]]]] = {}
    for feed, outputs in calls:
        asked = str(sorted((name, np.shape(array)) for name, array in feed.items()))
        for name, array in outputs.items():
            shapes.setdefault(name, {}).setdefault(asked, set()).add(np.shape(array))
    differing = {name: set().union(*map(_axes, by_input.values())) for name, by_input in shapes.items()}
    return {name: varied.pop() for name, varied in differing.items() if len(varied) == 1 and RANK not in varied}


def _axes(shapes: set[tuple[int, ...]]) -> set[int]:
    """The axes in which shapes differ; RANK where their ranks do."""
    if len({len(shape) for shape in shapes}) > 1:
        return {RANK}
    return {at for at, sizes in enumerate(zip(*shapes, strict=True)) if len(set(sizes)) > 1}


def rows_alone(source: NDArray[Any], built: NDArray[Any], axis: int) -> bool:
    """True where two answers differ in the number of their rows and in no other size."""
    return [*source.shape[:axis], *source.shape[axis + 1 :]] == [*built.shape[:axis], *built.shape[axis + 1 :]]


def shared(source: NDArray[Any], built: NDArray[Any], axis: int) -> float:
    """The F1 of the built model's rows against the source's; of floats that of their number."""
    sizes = int(source.shape[axis]), int(built.shape[axis])
    common = min(sizes) if source.dtype.kind == "f" else (_rows(source, axis) & _rows(built, axis)).total()
    return 2 * common / sum(sizes) if sum(sizes) else 1.0


def _rows(array: NDArray[Any], axis: int) -> Counter[bytes]:
    return Counter(np.ascontiguousarray(row).tobytes() for row in np.moveaxis(array, axis, 0))
