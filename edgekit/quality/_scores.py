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
Floats = NDArray[np.float64]
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


def relettered(texts: Sequence[str], by: int) -> list[str]:
    """The texts with each character in place of the one `by` places before it in their alphabet; spaces stay."""
    alphabet = sorted(set("".join(texts)) - {" "})
    turned = dict(zip(alphabet, [*alphabet[by % max(1, len(alphabet)) :], *alphabet], strict=False))
    return ["".join(turned.get(character, character) for character in text) for text in texts]


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
    drawn = [np.asarray(boxes, np.float64).reshape(-1, 6) for boxes in answers]
    real = [np.asarray(boxes, np.float64).reshape(-1, 5) for boxes in truth]
    kinds = np.unique(np.concatenate([boxes[:, 0] for boxes in real])) if real else np.empty(0)
    if not len(kinds):
        return 0.0
    return float(np.mean([_average_precision(drawn, real, kind) for kind in kinds]))


def _average_precision(answers: Sequence[Floats], truth: Sequence[Floats], kind: float) -> float:
    scores: list[Floats] = []
    hits: list[NDArray[np.bool_]] = []
    total = 0
    for drawn, real in zip(answers, truth, strict=True):
        own, wanted = drawn[drawn[:, 0] == kind], real[real[:, 0] == kind]
        surest = own[np.argsort(-own[:, 5], kind="stable")[:MOST]]
        total += len(wanted)
        scores.append(surest[:, 5])
        hits.append(_hits(surest[:, 1:5], wanted[:, 1:5]))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    taken = np.concatenate(hits)[order]
    right, wrong = np.cumsum(taken, axis=0), np.cumsum(~taken, axis=0)
    return float(np.mean([_area(right[:, at], wrong[:, at], total) for at in range(len(OVERLAPS))]))


def _hits(surest: Floats, wanted: Floats) -> NDArray[np.bool_]:
    """Of each box whether it takes one of the truth, at each of OVERLAPS: [boxes, overlaps]."""
    hits = np.zeros((len(surest), len(OVERLAPS)), bool)
    if not len(surest) or not len(wanted):
        return hits
    shared, levels = iou(surest, wanted), np.arange(len(OVERLAPS))
    free = np.ones((len(OVERLAPS), len(wanted)), bool)
    for row in np.flatnonzero(shared.max(axis=1) >= OVERLAPS[0] - 1e-10):
        left = np.where(free, shared[row], -1)
        best = left.argmax(axis=1)
        hits[row] = left[levels, best] >= OVERLAPS - 1e-10
        free[levels[hits[row]], best[hits[row]]] = False
    return hits


def _area(right: NDArray[Any], wrong: NDArray[Any], total: int) -> float:
    """Precision, made to fall only, at the points of RECALLS; 0 beyond what is reached."""
    if not len(right):
        return 0.0
    precision = np.maximum.accumulate((right / (right + wrong))[::-1])[::-1]
    places = np.searchsorted(right / total, RECALLS, side="left")
    return float(np.where(places < len(precision), precision[np.minimum(places, len(precision) - 1)], 0).mean())
