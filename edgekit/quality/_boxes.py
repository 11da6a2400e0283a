"""The boxes that an app draws around the text in DBNet's map, and how many of two models' boxes are the same.

DBNet (Liao et al. 2020) as PaddleOCR reads it (ppocr/postprocess/db_postprocess.py, with its defaults): regions above a
threshold, kept by their mean probability, grown by the unclip ratio. Its boxes may be turned; these are upright, which
is enough to tell whether both models found the same text.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAP_THRESHOLD = 0.3
BOX_THRESHOLD = 0.5
UNCLIP = 1.6
MIN_SIDE = 3  # pixels
SAME_IOU = 0.5  # the usual border of a detection that counts as found
SURE = 0.25  # the score from which apps draw a box; Ultralytics' default


def text_boxes(probability: NDArray[np.floating]) -> NDArray[np.float64]:
    """Boxes [n, 4] of left, top, right, bottom in pixels, from a map [height, width] of text's probability."""
    return scored_boxes(probability)[:, :4]


def scored_boxes(probability: NDArray[np.floating]) -> NDArray[np.float64]:
    """The boxes and their mean probability, [n, 5]."""
    labels = _regions(probability > MAP_THRESHOLD)
    rows, columns = np.nonzero(labels)
    if not len(rows):
        return np.empty((0, 5))
    _, found = np.unique(labels[rows, columns], return_inverse=True)
    count = int(found.max()) + 1
    score = np.bincount(found, weights=probability[rows, columns]) / np.bincount(found)
    low, high = np.full((count, 2), np.inf), np.full((count, 2), -np.inf)
    for axis, at in ((0, columns), (1, rows)):
        np.minimum.at(low[:, axis], found, at)
        np.maximum.at(high[:, axis], found, at + 1)
    width, height = (high - low).T
    kept = (score >= BOX_THRESHOLD) & (np.minimum(width, height) >= MIN_SIDE)
    grown = (width * height * UNCLIP / (2 * (width + height)))[:, None]
    return np.asarray(np.hstack([low - grown, high + grown, score[:, None]])[kept])


def matches(first: NDArray[np.float64], second: NDArray[np.float64]) -> int:
    """How many boxes of one [n, 4] have one of the other's to themselves, the closest pairs first."""
    if not len(first) or not len(second):
        return 0
    overlap = iou(first, second)
    count = 0
    while overlap.size and overlap.max() >= SAME_IOU:
        at = np.unravel_index(int(overlap.argmax()), overlap.shape)
        overlap = np.delete(np.delete(overlap, at[0], axis=0), at[1], axis=1)
        count += 1
    return count


def apart(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The boxes [n, 4] of rows [n, 6] with a class before and a score behind, moved so that no two classes overlap."""
    width = float(np.abs(rows[:, 1:5]).max(initial=0.0)) * 4 + 1
    return rows[:, 1:5] + rows[:, :1] * width


def iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of each pair, [n, m]."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=-1)
    areas = [np.prod(one[:, 2:] - one[:, :2], axis=-1) for one in (first, second)]
    return np.asarray(shared / (areas[0][:, None] + areas[1][None, :] - shared))


def _regions(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Labels from 1 of the regions that touch by side or corner, 0 outside them; some labels may stay unused.

    Runs of set pixels are joined row by row, so the work grows with the runs, not with the pixels.
    """
    labels = np.zeros(mask.shape, dtype=np.intp)
    parents = [0]

    def root(label: int) -> int:
        while parents[label] != label:
            parents[label] = parents[parents[label]]
            label = parents[label]
        return label

    above: list[tuple[int, int, int]] = []  # start, end (exclusive), label
    for y, row in enumerate(mask):
        edges = np.flatnonzero(np.diff(row, prepend=False, append=False))
        here = []
        for start, end in edges.reshape(-1, 2).tolist():
            touching = [root(label) for left, right, label in above if left <= end and start <= right]
            label = min(touching, default=len(parents))
            if label == len(parents):
                parents.append(label)
            for other in touching:
                parents[other] = label
            labels[y, start:end] = label
            here.append((start, end, label))
        above = here
    return np.array([root(label) for label in range(len(parents))], dtype=np.intp)[labels]
