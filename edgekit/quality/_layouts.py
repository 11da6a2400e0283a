"""Boxes with scores from a detector's outputs, by each of inputs/layouts.py, in pixels of the input.

Values that cannot be of the layout are told, not read: a score above 1, a class that is no whole number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.inputs.layouts import STRIDES

Floats = NDArray[np.float64]
Outputs = Mapping[str, NDArray[Any]]
LEAST = 0.001  # of a score; Ultralytics' and torchvision's evaluation of mAP begin about there
SAME = 0.7  # of boxes of one class, the less sure of which is left out: Ultralytics' own for mAP
MOST = 300  # boxes of one picture, the surest first
ROOM = 1e-3  # beyond 0 and 1, of scores in half precision


class Unlike(Exception):
    """The outputs are not of the layout, and why."""


@dataclass(frozen=True)
class Boxes:
    """What a detector answers to one picture.

    Attributes:
        corners: float64 [n, 4]: left, top, right, bottom in pixels of the input.
        scores: float64 [n, classes].
        settled: no box is to be suppressed by another.
    """

    corners: Floats
    scores: Floats
    settled: bool = False


def sides_of(feed: Outputs) -> tuple[int, int]:
    """Height and width of a call's picture.

    Raises:
        Unlike: no input is one.
    """
    for array in feed.values():
        if array.ndim in (3, 4):
            shape = array.shape[-3:]
            height, width = shape[1:] if shape[0] in (1, 3) else shape[:2]
            return height, width
    raise Unlike("no input is a picture")


Suppress = Callable[[Floats, Floats], NDArray[np.int64]]  # corners and scores -> [kept, 2] of class and box


def rows(
    decode: str, outputs: Outputs, sides: tuple[int, int], suppress: Suppress, *, float_source: bool = True
) -> Floats:
    """The boxes [n, 6] of class, left, top, right, bottom, score, the surest first.

    Args:
        outputs: by their names, in the model's order, of one picture.
        sides: height and width of the input.
        float_source: it is the model that says what the layout is; of another, that was made of it, values beyond
            their range are damage: they are cut, and what is no number is no box.

    Raises:
        Unlike: they are not of this layout.
    """
    named = {name.partition(":")[0]: array for name, array in outputs.items()}
    if not float_source:
        named = {name: np.nan_to_num(array, nan=0.0, posinf=0.0, neginf=0.0) for name, array in named.items()}
    try:
        made = READERS[decode](named, sides)
    except (KeyError, IndexError, ValueError):
        shapes = ", ".join(f"{name!r} of {list(array.shape)}" for name, array in outputs.items())
        raise Unlike(f"they are {shapes}") from None
    if float_source:
        _check(made)
    made = Boxes(made.corners, np.clip(made.scores, 0, 1), made.settled)
    if made.settled:
        box, kind = np.nonzero(made.scores >= LEAST)
    else:
        kind, box = suppress(made.corners, made.scores).T
    score = made.scores[box, kind]
    order = np.argsort(-score, kind="stable")[:MOST]
    return np.column_stack([kind[order], made.corners[box[order]], score[order]])


def _check(made: Boxes) -> None:
    if not (np.isfinite(made.corners).all() and np.isfinite(made.scores).all()):
        raise Unlike("a box or a score is no number")
    if made.scores.size and (made.scores.min() < -ROOM or made.scores.max() > 1 + ROOM):
        least, most = float(made.scores.min()), float(made.scores.max())
        raise Unlike(f"what should be scores from 0 to 1 lies from {least:.4g} to {most:.4g}")


def _columns(outputs: Outputs, sides: tuple[int, int]) -> Boxes:
    values = _first(outputs).T
    return Boxes(_corners(values[:, :4]), values[:, 4:])


def _with_presence(outputs: Outputs, sides: tuple[int, int]) -> Boxes:
    values = _first(outputs)
    presence, kinds = values[:, 4:5], values[:, 5:]
    together = presence * kinds if kinds.shape[1] else presence
    beyond = values[:, 4:].min(axis=1, keepdims=True) < -ROOM  # a product of two hides what is no score
    beyond |= values[:, 4:].max(axis=1, keepdims=True) > 1 + ROOM
    return Boxes(_corners(values[:, :4]), np.where(beyond, values[:, 4:].max(axis=1, keepdims=True) + 1, together))


def _in_grid(outputs: Outputs, sides: tuple[int, int]) -> Boxes:
    """Centres are offsets in their cell, sizes logarithms of cells."""
    values = _first(outputs).copy()
    for strides in STRIDES:
        cells = [_cells(sides, stride) for stride in strides]
        if sum(map(len, cells)) == len(values):
            places = np.concatenate(cells)
            size = np.repeat(strides, [len(some) for some in cells])[:, None]
            values[:, :2] = (values[:, :2] + places) * size
            values[:, 2:4] = np.exp(np.minimum(values[:, 2:4], np.log(max(sides)))) * size
            return _with_presence({"": values[None]}, sides)
    raise Unlike(f"{len(values)} boxes are not those of grids over {sides[0]} x {sides[1]} pixels")


def _cells(sides: tuple[int, int], stride: int) -> NDArray[np.int64]:
    """Column and row of each cell, row by row."""
    down, across = (side // stride for side in sides)
    return np.stack(np.meshgrid(np.arange(across), np.arange(down)), axis=-1).reshape(-1, 2)


def _suppressed(outputs: Outputs, sides: tuple[int, int]) -> Boxes:
    values = _first(outputs)
    if values.shape[1] != 6:
        raise Unlike(f"rows of {values.shape[1]} values are not corners, score and class")
    return _listed(values[:, :4], values[:, 4], values[:, 5])


def _torchvision(outputs: Outputs, sides: tuple[int, int]) -> Boxes:
    return _listed(*(np.asarray(outputs[name], np.float64) for name in ("boxes", "scores", "labels")))


def _tensorflow(outputs: Outputs, sides: tuple[int, int]) -> Boxes:
    count = int(np.asarray(outputs["num_detections"]).reshape(-1)[0])
    names = ("detection_boxes", "detection_scores", "detection_classes")
    corners, scores, kinds = (np.asarray(outputs[name], np.float64)[0][:count] for name in names)
    return _listed(corners[:, [1, 0, 3, 2]] * _across(sides), scores, kinds)


def _queries(outputs: Outputs, sides: tuple[int, int]) -> Boxes:
    """Each query is of one class at most, its best; the last is that there is nothing."""
    logits = np.asarray(outputs["logits"], np.float64)[0]
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = (shares / shares.sum(axis=1, keepdims=True))[:, :-1]
    best = scores == scores.max(axis=1, keepdims=True)
    return Boxes(_shares(outputs, sides), np.where(best, scores, 0.0), settled=True)


def _independent(outputs: Outputs, sides: tuple[int, int]) -> Boxes:
    logits = np.asarray(outputs["logits"], np.float64)[0]
    return Boxes(_shares(outputs, sides), 0.5 + 0.5 * np.tanh(logits / 2), settled=True)


def _shares(outputs: Outputs, sides: tuple[int, int]) -> Floats:
    shares: Floats = np.asarray(outputs["pred_boxes"], np.float64)[0]
    if shares.size and (shares.min() < -ROOM or shares.max() > 1 + ROOM):
        raise Unlike(f"what should be shares of the picture lies from {shares.min():.4g} to {shares.max():.4g}")
    corners: Floats = _corners(shares) * _across(sides)
    return corners


def _listed(corners: Floats, scores: Floats, kinds: Floats) -> Boxes:
    """Boxes that each have one class: its number is a whole one."""
    if kinds.size and not (np.array_equal(kinds, np.round(kinds)) and kinds.min() >= 0 and kinds.max() < 2**16):
        raise Unlike("what should be classes are no whole numbers from 0")
    if corners.size and (corners[:, :2] > corners[:, 2:])[scores >= LEAST].any():
        raise Unlike("a box ends before it begins")
    table = np.zeros((len(kinds), int(kinds.max()) + 1 if kinds.size else 1))
    table[np.arange(len(kinds)), kinds.astype(np.int64)] = scores
    return Boxes(np.asarray(corners, np.float64), table, settled=True)


def _first(outputs: Outputs) -> Floats:
    """The first output of one picture."""
    values: Floats = np.asarray(next(iter(outputs.values())), np.float64)[0]
    return values


def _corners(middle: Floats) -> Floats:
    """From centre, width and height."""
    half = middle[:, 2:4] / 2
    return np.hstack([middle[:, :2] - half, middle[:, :2] + half])


def _across(sides: tuple[int, int]) -> NDArray[np.int64]:
    return np.array([sides[1], sides[0], sides[1], sides[0]])


READERS: dict[str, Callable[[Outputs, tuple[int, int]], Boxes]] = {
    "yolov5": _with_presence,
    "yolov8": _columns,
    "yolov10": _suppressed,
    "yolox": _in_grid,
    "detr": _queries,
    "rt-detr": _independent,
    "torchvision": _torchvision,
    "tf-detection": _tensorflow,
}
