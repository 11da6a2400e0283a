"""Boxes from outputs of each layout: answers that are known, and values that are of no such layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.quality import _boxes, _layouts
from edgekit.quality._layouts import Unlike

pytestmark = pytest.mark.unit
SIDES = (32, 64)  # height, width: eight columns of four rows of eight pixels, 42 cells in all
LOGIT = 4.0
SURE = 1 / (1 + np.exp(-LOGIT))


def every(corners: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Nothing is suppressed."""
    return np.argwhere(scores.T >= _layouts.LEAST)


def answer(*values: Any) -> dict[str, NDArray[Any]]:
    return {"output": np.array([values], np.float32)}


MIDDLE = (20.0, 10.0, 8.0, 4.0)  # centre, width, height
CORNERS = [16.0, 8.0, 24.0, 12.0]
SHARES = [[[20 / 64, 10 / 32, 8 / 64, 4 / 32]]]
# layout -> outputs of which the only box is CORNERS, and its class and score
KNOWN: dict[str, tuple[dict[str, NDArray[Any]], float, float]] = {
    "yolov8": ({"o": np.array([[[v] for v in (*MIDDLE, 0.0, 0.75)]], np.float32)}, 1, 0.75),
    "yolov5": (answer([*MIDDLE, 0.5, 0.0, 0.5]), 1, 0.25),
    "yolov10": (answer([*CORNERS, 0.75, 3.0]), 3, 0.75),
    "detr": (
        {"logits": np.array([[[0.0, np.log(3.0), 0.0]]]), "pred_boxes": np.array(SHARES)},
        1,
        0.6,
    ),
    "rt-detr": ({"logits": np.array([[[-20.0, LOGIT]]]), "pred_boxes": np.array(SHARES)}, 1, SURE),
    "torchvision": ({"boxes": np.array([CORNERS]), "labels": np.array([7]), "scores": np.array([0.5])}, 7, 0.5),
    "tf-detection": (
        {
            "detection_boxes:0": np.array([[[8 / 32, 16 / 64, 12 / 32, 24 / 64], [0, 0, 1, 1]]]),
            "detection_classes:0": np.array([[2.0, 1.0]]),
            "detection_scores:0": np.array([[0.5, 0.9]]),
            "num_detections:0": np.array([1.0]),
        },
        2,
        0.5,
    ),
}


@pytest.mark.parametrize("word", KNOWN)
def test_a_box_that_is_known(word: str) -> None:
    outputs, kind, score = KNOWN[word]
    assert _layouts.rows(word, outputs, SIDES, every) == pytest.approx(np.array([[kind, *CORNERS, score]]), abs=1e-5)


def test_offsets_in_the_grids() -> None:
    """The cell of column 2 and row 1, at 8 pixels; and the second of the two of 32."""
    rows = np.zeros((42, 6), np.float32)
    rows[8 + 2] = [0.5, 0.25, np.log(1.0), np.log(0.5), 0.5, 0.5]
    rows[41] = [0.5, 0.5, np.log(0.5), np.log(0.25), 1.0, 1.0]
    drawn = _layouts.rows("yolox", {"o": rows[None]}, SIDES, every)
    assert drawn == pytest.approx(np.array([[0, 40, 12, 56, 20, 1.0], [0, *CORNERS, 0.25]]), abs=1e-5)
    with pytest.raises(Unlike, match="41 boxes"):
        _layouts.rows("yolox", {"o": rows[None, :41]}, SIDES, every)


WRONG: dict[str, tuple[str, dict[str, NDArray[Any]]]] = {
    "points of a pose": ("yolov8", {"o": np.array([[[v] for v in (*MIDDLE, 0.5, 13.0)]])}),
    "a presence beyond 1": ("yolov5", answer([*MIDDLE, 20.0, 0.01])),
    "logits": ("yolov5", answer([*MIDDLE, 0.5, -3.0])),
    "class before score": ("yolov10", answer([*CORNERS, 3.0, 0.75])),
    "width instead of right": ("yolov10", answer([16.0, 8.0, 8.0, 4.0, 0.75, 3.0])),
    "seven values": ("yolov10", answer([0.0, *CORNERS, 3.0, 0.75])),
    "pixels instead of shares": ("rt-detr", {"logits": np.zeros((1, 1, 2)), "pred_boxes": np.array([[MIDDLE]])}),
    "other names": ("torchvision", answer([*CORNERS, 0.75, 3.0])),
    "two dimensions": ("yolov8", {"o": np.zeros((1, 4))}),
    "no number": ("yolov8", {"o": np.array([[[v] for v in (*MIDDLE, 0.5, np.nan)]])}),
}


@pytest.mark.parametrize("case", WRONG)
def test_values_of_another_layout_are_told(case: str) -> None:
    word, outputs = WRONG[case]
    with pytest.raises(Unlike):
        _layouts.rows(word, outputs, SIDES, every)


def test_the_surest_come_first_and_no_more_than_count() -> None:
    rows = np.tile(np.array([*CORNERS, 0.5, 0.0], np.float32), (400, 1))
    rows[:, 4] = np.linspace(0.1, 0.9, 400)
    drawn = _layouts.rows("yolov10", {"o": rows[None]}, SIDES, every)
    assert len(drawn) == _layouts.MOST and drawn[0, 5] == pytest.approx(0.9) and (np.diff(drawn[:, 5]) <= 0).all()
    assert not len(_layouts.rows("yolov10", {"o": np.zeros((1, 0, 6))}, SIDES, every))


def test_boxes_of_two_classes_never_match() -> None:
    rows = np.array([[0, *CORNERS, 0.9], [1, *CORNERS, 0.9]])
    apart = _boxes.apart(rows)
    assert _boxes.matches(apart[:1], apart[1:]) == 0 and _boxes.matches(apart, apart) == 2


def test_the_sides_of_a_picture() -> None:
    for shape in ((1, 3, 20, 30), (1, 20, 30, 3), (3, 20, 30), (1, 1, 20, 30)):
        assert _layouts.sides_of({"mask": np.zeros(4), "x": np.zeros(shape)}) == (20, 30)
    with pytest.raises(Unlike, match="no input"):
        _layouts.sides_of({"x": np.zeros((1, 16000))})
