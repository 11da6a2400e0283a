"""Outputs of which the model itself says how many rows they have, as a detector does that suppresses boxes: two answers
by their rows, in any order. src/rows.h of the C++ runtime keeps the same rule.

A score beside a threshold falls on one side or the other in other arithmetic. Whole numbers are compared as sets of
rows; of floats the number of rows is, and their values where it is the same. A row more or less is no fault; of more
the F1 over all inputs counts, and what has another number of rows for most inputs is another output.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from .npz import Array

F1 = 0.85  # what the gate asks of whole numbers; on the same kernels as much is asked as of a cosine
MOST = 0.5  # of the inputs: more with another number of rows are other shapes


@dataclass
class Rows:
    """An output over all inputs.

    Attributes:
        axis: along which its rows lie.
        inputs, other_count: of how many inputs, and of how many of these the number of rows is another.
        common, both: rows that both have, and those of here and of the golden together.
    """

    axis: int
    inputs: int = 0
    other_count: int = 0
    common: int = 0
    both: int = 0

    def fits(self, here: list[int], golden: list[int]) -> bool:
        """Whether two shapes differ in the number of rows alone."""
        sizes = [shape[: self.axis] + shape[self.axis + 1 :] for shape in (here, golden)]
        return len(here) == len(golden) > self.axis >= 0 and sizes[0] == sizes[1]

    def add(self, here: tuple[Array, list[int]], golden: tuple[Array, list[int]]) -> bool:
        """Two answers to one input, whole or some of their values, with their shapes, which fit; not of two kinds.

        Returns: whether nothing of them is left to be compared.
        """
        counts = here[1][self.axis], golden[1][self.axis]
        if here[0].dtype.kind != golden[0].dtype.kind:
            return False
        sets = all(array.dtype.kind not in "fc" and array.size == math.prod(shape) for array, shape in (here, golden))
        common = (self._set(*here) & self._set(*golden)).total() if sets else min(counts)
        self.inputs += 1
        self.other_count += counts[0] != counts[1]
        self.common += common
        self.both += sum(counts)
        return sets or counts[0] != counts[1]

    def f1(self) -> float:
        """Of the rows of here against those of the goldens; 1 where neither has any."""
        return 2 * self.common / self.both if self.both else 1.0

    def wrong(self, least: float) -> str:
        """Why the rows do not agree, whose F1 is to be at `least` so much; empty where they do."""
        if self.other_count > MOST * self.inputs and self.both - 2 * self.common > 1:
            return f"another number of rows for {self.other_count} of {self.inputs} inputs"
        if self.both - 2 * self.common > 1 and self.f1() < least:
            return f"F1 of its rows {self.f1():.4f}, at least {least:g} is asked"
        return ""

    def _set(self, array: Array, shape: list[int]) -> Counter[bytes]:
        by_row = np.moveaxis(array.reshape(shape), self.axis, 0)
        if array.dtype.kind != "U":
            by_row = by_row.astype(np.uint64 if array.dtype.kind == "u" else np.int64)
        return Counter(str(row.tolist()).encode() for row in by_row)
