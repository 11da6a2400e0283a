"""Detectors that suppress boxes in their graph: how many rows they answer is theirs to say, and no other shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.quality._child_tensor import Comparison
from edgekit.quality._counts import axes, rows_alone, shared
from edgekit.quality._survey import Survey

pytestmark = pytest.mark.unit

X = {"x": np.zeros((1, 3, 8, 8), np.float32)}
WIDE = {"x": np.zeros((1, 3, 8, 9), np.float32)}
SELECTED = {  # exporter: what it calls the axis
    "onnx's NonMaxSuppression [n, 3] of int64": (np.int64, lambda n: (n, 3), 0),
    "torchvision's labels [n]": (np.int64, lambda n: (n,), 0),
    "TensorRT's boxes [1, n, 4]": (np.float32, lambda n: (1, n, 4), 1),
    "YOLO's [1, 6, n]": (np.float32, lambda n: (1, 6, n), 2),
}


def answer(kind: str, count: int) -> Any:
    dtype, shape, _ = SELECTED[kind]
    return np.arange(int(np.prod(shape(count)))).reshape(shape(count)).astype(dtype)


@pytest.mark.parametrize("kind", SELECTED)
def test_the_axis_that_the_values_decide(kind: str) -> None:
    calls = [(X, {"y": answer(kind, count), "z": np.zeros(3)}) for count in (4, 5, 0)]
    assert axes(calls) == {"y": SELECTED[kind][2]}


def test_what_the_inputs_decide_is_a_shape() -> None:
    assert axes([(X, {"y": np.zeros((8, 3))}), (WIDE, {"y": np.zeros((9, 3))})]) == {}
    assert axes([(X, {"y": np.zeros((8, 3))}), (X, {"y": np.zeros((9, 4))})]) == {}, "two axes"
    assert axes([(X, {"y": np.zeros((8, 3))}), (X, {"y": np.zeros(8)})]) == {}, "another rank"


def test_shared_rows() -> None:
    a, b = np.array([[0, 1], [2, 3], [4, 5]]), np.array([[4, 5], [0, 1]])
    assert shared(a, b, 0) == pytest.approx(2 * 2 / 5) and shared(a, a[::-1], 0) == 1.0
    assert shared(a, b + 9, 0) == 0.0 and shared(a[:0], b[:0], 0) == 1.0
    assert shared(np.zeros((1, 6, 4)), np.ones((1, 6, 2)), 2) == pytest.approx(4 / 6), "floats: their number"
    assert rows_alone(np.zeros((1, 6, 4)), np.zeros((1, 6, 2)), 2) and not rows_alone(a, np.zeros((2, 3)), 0)


def compared(kind: str, pairs: list[tuple[int, int]]) -> dict[str, Any]:
    """The outcome of calls with so many rows of the source and of the built model."""
    calls = [(answer(kind, source), answer(kind, built)) for source, built in pairs]
    known = Survey(len(calls))
    for source, _ in calls:
        known.add(source)
    made = Comparison("none", "", {"y": known}, counted=axes((X, {"y": source}) for source, _ in calls))
    for source, built in calls:
        made.add(X, {"y": source}, {"y": built})
    return made.outcome()


@pytest.mark.parametrize("kind", SELECTED)
def test_a_row_that_comes_or_goes_is_counted_and_one_that_never_comes_is_a_fault(kind: str) -> None:
    near = compared(kind, [(9, 9), (9, 8), (10, 10), (10, 10)])
    assert near["mismatches"] == 0 and 0.9 < near["outputs"]["y"]["equal"] < 1
    silent = compared(kind, [(9, 0), (8, 0), (10, 0), (10, 0)])
    assert silent["mismatches"] == 4 and silent["outputs"]["y"]["equal"] == 0


def test_another_width_is_another_shape() -> None:
    known = Survey(2)
    for count in (2, 3):
        known.add(np.zeros((count, 3)))
    made = Comparison("none", "", {"y": known}, counted={"y": 0})
    made.add(X, {"y": np.zeros((2, 3))}, {"y": np.zeros((2, 4))})
    assert made.outcome()["mismatches"] == 1
