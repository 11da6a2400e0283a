"""How answers are compared of which a model itself says how many rows they have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edgekit.wrappers.python.rows import Rows

pytestmark = pytest.mark.unit


def rows(
    *calls: tuple[Sequence[object], Sequence[object]], dtype: str = "int64", axis: int = 0
) -> tuple[Rows, list[bool]]:
    """Every call's answer and golden."""
    held, done = Rows(axis), []
    for here, golden in calls:
        arrays = [np.array(values, dtype).reshape(len(values), 2) for values in (here, golden)]
        arrays = [np.moveaxis(array, 0, axis) for array in arrays]
        sizes = [list(array.shape) for array in arrays]
        assert held.fits(*sizes)
        done.append(held.add((arrays[0].ravel(), sizes[0]), (arrays[1].ravel(), sizes[1])))
    return held, done


BOXES = [[1, 2], [3, 4], [5, 6], [7, 8]]


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(
    ("here", "f1", "wrong"),
    [
        (BOXES, 1.0, ""),
        (BOXES[::-1], 1.0, ""),
        (BOXES[:3], 6 / 7, ""),
        ([*BOXES, [9, 9]], 8 / 9, ""),
        ([*BOXES[:3], [9, 9]], 0.75, "F1 of its rows 0.7500, at least 0.85 is asked"),
        ([[1, 2]] * 4, 0.25, "F1 of its rows 0.2500, at least 0.85 is asked"),  # as often as it is there
        ([[2, 1], [4, 3], [6, 5], [8, 7]], 0.0, "F1 of its rows 0.0000, at least 0.85 is asked"),
    ],
)
def test_whole_numbers_are_sets_of_rows(here: list[list[int]], f1: float, wrong: str, axis: int) -> None:
    held, done = rows((here, BOXES), (BOXES, BOXES), axis=axis) if not wrong else rows((here, BOXES), axis=axis)
    assert all(done) and held.wrong(0.85) == wrong
    assert rows((here, BOXES), axis=axis)[0].f1() == pytest.approx(f1)


def test_of_floats_the_number_counts_and_the_values_are_left_to_the_cosine() -> None:
    held, done = rows((BOXES[:3], BOXES), (BOXES, BOXES), dtype="float32")
    assert done == [True, False] and held.f1() == pytest.approx(14 / 15) and not held.wrong(0.85)


def test_another_number_for_most_inputs_is_another_output() -> None:
    held, _ = rows((BOXES[:3], BOXES), (BOXES[:3], BOXES), (BOXES, BOXES), dtype="float32")
    assert held.wrong(0.85) == "another number of rows for 2 of 3 inputs"
    assert not rows(([], [[1, 2]]), ([], []))[0].wrong(0.85)  # one row, which only just fell out
    assert rows(([], [[1, 2]]), ([], [[1, 2]]))[0].wrong(0.85)


def test_of_some_values_of_a_large_output_the_rows_are_not_known() -> None:
    held = Rows(0)
    assert not held.add((np.arange(5), [9, 2]), (np.arange(5), [9, 2])) and held.f1() == 1.0
    assert held.add((np.arange(5), [8, 2]), (np.arange(5), [9, 2])) and held.f1() == pytest.approx(34 / 35)


@pytest.mark.parametrize(("axis", "here"), [(0, [3, 5]), (0, [3, 4, 1]), (2, [3, 4]), (-1, [3, 4])])
def test_another_size_than_the_number_of_rows_does_not_fit(axis: int, here: list[int]) -> None:
    assert not Rows(axis).fits(here, [2, 4])
