"""How right answers are by what people say that inputs show: accuracy, error rates of texts, mean average precision.

Pure functions. An answer and a truth are of an input: a class (int), a text, or boxes [n][class, left, top, right,
bottom], of answers [n][class, left, top, right, bottom, score].
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.quality._boxes import iou
from edgekit.quality._stats import edit_distance

OVERLAPS = np.arange(10) * 0.05 + 0.5  # COCO's: .50, .55, ... .95
RECALLS = np.linspace(0, 1, 101)
MOST = 100  # boxes of one picture that count, the surest first


def accuracy(answers: Sequence[int], truth: Sequence[int]) -> float:
    """The share of first choices that are the label."""
    return sum(answer == label for answer, label in zip(answers, truth, strict=True)) / len(truth)


def chance(answers: Sequence[int], truth: Sequence[int], count: int) -> float:
    """How often such answers are right if they have nothing to do with the labels: sum of p(answer) p(label).

    Where all labels are the same, which tells nothing, it is that of a guess among `count` classes.
    """
    if len(set(truth)) == 1:
        return 1 / max(2, count)
    return sum(answers.count(label) * truth.count(label) for label in set(truth)) / len(truth) ** 2


def plain(text: str, *, cased: bool = True) -> str:
    """A text as it is compared: composed (NFC), its white space one blank; without case where an alphabet has one."""
    text = " ".join(unicodedata.normalize("NFC", text).split())
    return text if cased else text.casefold()


def error_rate(answers: Sequence[str], truth: Sequence[str], *, words: bool = False) -> float:
    """Insertions, deletions and substitutions over the length of the truth, of characters or words of all texts."""
    pairs = [
        (answer.split(), text.split()) if words else (answer, text) for answer, text in zip(answers, truth, strict=True)
    ]
    numbered: dict[Any, int] = {}
    rows = [[[numbered.setdefault(part, len(numbered)) for part in side] for side in pair] for pair in pairs]
    return sum(edit_distance(*row) for row in rows) / max(1, sum(len(row[1]) for row in rows))


def mean_average_precision(answers: Sequence[Any], truth: Sequence[Any]) -> float:
    """COCO's mAP@[.50:.95]: the mean over classes that are there and over OVERLAPS of the 101-point precision.

    Of a picture the MOST surest boxes count; each takes the box of the truth that it overlaps most and nobody has.
    """
    kinds = sorted({box[0] for boxes in truth for box in boxes})
    if not kinds:
        return 0.0
    return float(np.mean([_average_precision(answers, truth, kind) for kind in kinds]))


def _average_precision(answers: Sequence[Any], truth: Sequence[Any], kind: Any) -> float:
    scores: list[float] = []
    hits: list[NDArray[np.bool_]] = []
    total = 0
    for drawn, real in zip(answers, truth, strict=True):
        surest = sorted((box for box in drawn if box[0] == kind), key=lambda box: -box[5])[:MOST]
        wanted = [box for box in real if box[0] == kind]
        total += len(wanted)
        scores += [box[5] for box in surest]
        hits += _hits(surest, wanted)
    order = np.argsort(-np.asarray(scores), kind="mergesort")
    taken = np.asarray(hits, bool).reshape(len(hits), len(OVERLAPS))[order]
    right, wrong = np.cumsum(taken, axis=0), np.cumsum(~taken, axis=0)
    return float(np.mean([_area(right[:, at], wrong[:, at], total) for at in range(len(OVERLAPS))]))


def _hits(surest: Sequence[Any], wanted: Sequence[Any]) -> list[NDArray[np.bool_]]:
    """Of each box whether it takes one of the truth, at each of OVERLAPS."""
    hits = [np.zeros(len(OVERLAPS), bool) for _ in surest]
    if not surest or not wanted:
        return hits
    shared = iou(*(np.asarray([box[1:5] for box in boxes], np.float64) for boxes in (surest, wanted)))
    for at, overlap in enumerate(OVERLAPS):
        free = np.ones(len(wanted), bool)
        for row in range(len(surest)):
            best = int(np.where(free, shared[row], -1).argmax())
            if free[best] and shared[row, best] >= overlap - 1e-10:
                free[best], hits[row][at] = False, True
    return hits


def _area(right: NDArray[np.int_], wrong: NDArray[np.int_], total: int) -> float:
    """Precision, made to fall only, at the points of RECALLS; 0 beyond what is reached."""
    if not len(right):
        return 0.0
    precision = np.maximum.accumulate((right / (right + wrong))[::-1])[::-1]
    places = np.searchsorted(right / total, RECALLS, side="left")
    return float(np.where(places < len(precision), precision[np.minimum(places, len(precision) - 1)], 0).mean())
