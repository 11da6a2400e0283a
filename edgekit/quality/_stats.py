"""The arithmetic of the gates: pure functions on numpy arrays, each with its formula."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
BLOCK = 32  # rows of a vocabulary-wide array that are worked on at once: they stay in the processor's cache
RESAMPLES = 400
SEED = 20261124


def log_softmax(logits: Floats) -> NDArray[np.float32]:
    """log(exp(x) / sum(exp(x))) of each row; float32 [rows, vocabulary]. Overwrites a float32 argument."""
    values = np.asarray(logits, dtype=np.float32)
    values -= values.max(axis=-1, keepdims=True)
    values -= np.log(np.exp(values).sum(axis=-1, keepdims=True))
    return values


def kl_divergence(source: Floats, built: Floats) -> NDArray[np.float64]:
    """KL(source || built) = sum p (log p - log q) of each row, in nats, from two arrays of log-probabilities."""
    with np.errstate(invalid="ignore"):
        terms = np.exp(source) * (source - built)
    # 0 log 0 is 0: a masked token has log p = -inf.
    total: NDArray[np.float64] = np.where(np.isneginf(source), 0.0, terms).sum(axis=-1, dtype=np.float64)
    return total


def perplexity(nll: Floats) -> float:
    """exp of the mean negative log-likelihood (nats a token)."""
    return float(np.exp(np.mean(nll, dtype=np.float64)))


def bootstrap(
    statistic: Callable[..., float], columns: Sequence[NDArray[Any]], groups: NDArray[np.integer[Any]]
) -> tuple[float, float]:
    """The 95 % percentile interval of a statistic when whole groups (documents) are drawn with replacement.

    Tokens of one document are alike, so drawing tokens would make the interval too narrow. The seed is fixed.

    Args:
        statistic: takes the columns, restricted to the drawn rows.
        columns: arrays of one length, one row a token.
        groups: the group of each row.
    """
    rows = [np.flatnonzero(groups == name) for name in np.unique(groups)]
    random = np.random.default_rng(SEED)
    drawn = []
    for _ in range(RESAMPLES):
        picked = np.concatenate([rows[index] for index in random.integers(0, len(rows), len(rows))])
        drawn.append(statistic(*(column[picked] for column in columns)))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def repetition_rate(tokens: Sequence[int], n: int = 4) -> float:
    """The share of an answer's n-grams that stood in it before; 0 for an answer too short to have two."""
    grams = [tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def common_prefix(first: Sequence[int], second: Sequence[int]) -> float:
    """How far two answers run together, as a share of the longer one."""
    longest = max(len(first), len(second))
    if longest == 0:
        return 1.0
    same = next(
        (at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
        min(len(first), len(second)),
    )
    return same / longest


def cosine(dot: Floats, first: Floats, second: Floats) -> Floats:
    """a.b / (|a| |b|) from sums a.b, a.a, b.b. Two zero vectors agree (1); one zero vector does not (0)."""
    length = np.sqrt(first) * np.sqrt(second)  # the product of the sums could overflow or vanish
    both_zero = (first == 0) & (second == 0)
    return np.where(both_zero, 1.0, dot / np.where(length == 0, 1.0, length))


def sqnr_db(signal: float, noise: float) -> float:
    """10 log10(sum x^2 / sum (x - y)^2); 120 dB stands for equal, which float32 cannot tell from more."""
    if noise <= signal * 1e-12:
        return 120.0
    return float(10 * np.log10(signal / noise)) if signal > 0 else -120.0


def spearman(first: Floats, second: Floats) -> float:
    """The correlation of ranks (ties share their mean rank); 1 when both are constant."""
    ranks = [_ranks(values) for values in (first, second)]
    centred = [rank - rank.mean() for rank in ranks]
    dot, *squares = (float((a * b).sum()) for a, b in ((centred[0], centred[1]), *((one, one) for one in centred)))
    if squares[0] == squares[1] == 0:
        return 1.0
    return dot / float(np.sqrt(squares[0] * squares[1])) if squares[0] and squares[1] else 0.0


def rank_agreement(source: Floats, built: Floats) -> float:
    """Spearman's correlation from call to call, [calls, places]: of the ranks within each place, all places together.

    A built model that always answers the same has 0. Places that vary by less than a tenth of the most are left out:
    the order of their values is noise.
    """
    spread = np.ptp(source, axis=0)
    ranks = [
        np.stack([_ranks(column) for column in values.T[spread >= 0.1 * spread.max(initial=0)]], axis=1)
        for values in (source, built)
    ]
    a, b = (rank - rank.mean(axis=0) for rank in ranks)
    length = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / length if length else 0.0


def skill(source: NDArray[Any], built: NDArray[Any]) -> float | None:
    """Agreement above the best constant's: (agreement - constant) / (1 - constant), of values [calls, places].

    The constant is each place's commonest value. 1 is equal, a model that always answers the same has 0 or less. None
    where the source's values never change.
    """
    constant = float(np.mean([np.unique(column, return_counts=True)[1].max() / len(column) for column in source.T]))
    return (float(np.mean(source == built)) - constant) / (1 - constant) if constant < 1 else None


def _ranks(values: Floats) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    mean: NDArray[np.float64] = (ends - (counts - 1) / 2.0)[inverse.reshape(-1)]
    return mean


def ctc_decode(best: Sequence[int], blank: int = 0) -> list[int]:
    """The labels of a CTC output from its best label at each step: repeats merged, then blanks dropped."""
    merged = [label for at, label in enumerate(best) if at == 0 or label != best[at - 1]]
    return [label for label in merged if label != blank]


def edit_distance(first: Sequence[int], second: Sequence[int]) -> int:
    """Levenshtein distance: insertions, deletions and substitutions, each 1."""
    row = list(range(len(second) + 1))
    for at, a in enumerate(first, start=1):
        previous, row[0] = row[0], at
        for column, b in enumerate(second, start=1):
            previous, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, previous + (a != b)),
            )
    return row[-1]
