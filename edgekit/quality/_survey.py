"""What the float source answers, before anything is held against it: its mean, and which of its values vary at all.

A model that always answers the mean is close to any source whose outputs hardly vary, by every measure of the whole
outputs. So outputs are compared by how they depart from the source's mean over the inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.wrappers.python.agreement import largest

Floats = NDArray[np.float64]
Outputs = dict[str, NDArray[Any]]
ROOM = 256 * 2**20  # bytes of answers that are kept; of more the source is run a second time
PLACES = 1024  # values of an output that are followed from call to call
CHANNELS = 1024  # more of them are no channels of a detector


class Answers:
    """The source's outputs, call by call, as often as they are asked for."""

    def __init__(self, run: Callable[[], Iterator[Outputs]]) -> None:
        self._run = run
        self._kept: list[Outputs] = []
        self._whole = False

    def __iter__(self) -> Iterator[Outputs]:
        if self._whole:
            yield from self._kept
            return
        kept, size = [], 0
        for outputs in self._run():
            size += sum(array.nbytes for array in outputs.values())
            if size <= ROOM:
                kept.append(outputs)
            yield outputs
        self._kept, self._whole = kept, size <= ROOM


class Survey:
    """One output of the source over all calls.

    Attributes:
        varies: it is not always the same, float noise aside.
    """

    def __init__(self, calls: int) -> None:
        self._calls = calls
        self._first: NDArray[Any] | None = None
        self._differs: NDArray[np.bool_] | None = None  # by place; None once the shape varied
        self._sums: list[tuple[Floats, Floats] | None] = []  # by level: of the values, and of how many they are
        self._values = self._nan = self._infinite = 0
        self.varies = False

    def add(self, array: NDArray[Any]) -> None:
        """One call's answer."""
        if self._first is None:
            self._first, self._differs = array, np.zeros(array.shape, dtype=np.bool_)
        if self._first.shape != array.shape:
            self.varies, self._differs = True, None
        else:
            unlike = differs(self._first, array)
            self.varies = self.varies or bool(unlike.any())
            if self._differs is not None:
                self._differs |= unlike
        self._values += array.size
        if array.dtype.kind == "f":
            self._add_levels(array)

    def _add_levels(self, array: NDArray[Any]) -> None:
        with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
            values = array.astype(np.float64)
        finite = np.isfinite(values)
        self._nan += int(np.isnan(values).sum())
        self._infinite += int(np.isinf(values).sum())
        share = 1.0 / (self._calls * max(1, array.size))  # of each value, so that no sum overflows
        totals, counts = _levels(np.where(finite, values, 0.0) * share), _levels(finite * share)
        if not self._sums:
            self._sums = list(zip(totals, counts, strict=True))
            return
        for at, (total, count) in enumerate(zip(totals, counts, strict=True)):
            known = self._sums[at]
            same = known is not None and known[0].shape == total.shape
            self._sums[at] = (known[0] + total, known[1] + count) if known is not None and same else None

    @property
    def reshaped(self) -> bool:
        """Its shape is not always the same."""
        return self._first is not None and self._differs is None

    def facts(self) -> dict[str, Any]:
        """Whether it varies, and how many of its values are no number, or infinite."""
        return {"varies": self.varies, "values": self._values, "nan": self._nan, "infinite": self._infinite}

    def mean(self) -> NDArray[np.float64]:
        """Of each value over the calls; where the shape varies, of each channel; where they vary too, of all."""
        for sums in self._sums:
            if sums is not None:
                total, count = sums
                return np.divide(total, count, out=np.zeros_like(total), where=count > 0)
        return np.zeros(())

    def places(self) -> NDArray[np.intp] | None:
        """Some of the places (of the flat array) whose values vary; None where the shape does."""
        if self._differs is None:
            return None
        varying = np.flatnonzero(self._differs)
        return varying[:: max(1, -(-len(varying) // PLACES))]


def survey(answers: Answers, calls: int) -> dict[str, Survey]:
    """Each output of the source, by name."""
    surveys: dict[str, Survey] = {}
    for outputs in answers:
        for name, array in outputs.items():
            surveys.setdefault(name, Survey(calls)).add(array)
    return surveys


def followed(array: NDArray[Any], places: NDArray[np.intp] | None) -> NDArray[Any]:
    """The values of one call that are compared from call to call: [1, places]; [values, 1] where the shape varies."""
    flat = array.reshape(-1)
    return flat[places][None] if places is not None else flat[:: max(1, -(-array.size // PLACES)), None]


def differs(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.bool_]:
    """Where two arrays of one shape differ by more than float noise: a graph of constants may add in another order."""
    if first.dtype.kind != "f":
        return np.asarray(first != second)
    noise = 1e-12 * min(1.0, largest(first))  # tiny values are no noise where the others are tiny too
    with np.errstate(over="ignore", invalid="ignore"):  # opposite values at the end of the range
        return np.asarray(~np.isclose(first, second, rtol=1e-6, atol=noise, equal_nan=True))


def channel_axis(array: NDArray[Any]) -> int | None:
    """The shorter of two: detector heads are [1, boxes, values] or [1, values, boxes], maps have it first or last."""
    if array.ndim < 3:
        return None
    axis = min((1, array.ndim - 1), key=lambda at: array.shape[at])
    return axis if array.shape[axis] <= CHANNELS else None


def _levels(array: NDArray[Any]) -> tuple[NDArray[np.float64], ...]:
    """The values themselves, their sums by channel [1, channels, 1], and their sum []."""
    axis = channel_axis(array)
    others = tuple(at for at in range(array.ndim) if at != axis)
    return array.astype(np.float64), np.asarray(array.sum(axis=others, keepdims=True)), np.asarray(array.sum())
