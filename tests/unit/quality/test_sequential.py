"""When figures over tokens are decided early: as rarely wrong as the whole sample, and never of what is not clear.

The pool has 16,384 predictions of 64 texts and 170 answers, whose divergences spread as those of SmolLM2 in int4_mixed
do: their logarithm has a deviation of 2, of which half goes from document to document in answers, a third in texts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.quality import _reference, _sequential
from edgekit.results.metrics import Limit

pytestmark = pytest.mark.unit
TEXTS, TEXT, ANSWERS, ANSWER = 64, 128, 170, 48  # documents of the pool, and predictions of each
DRAWN = 16, 43  # texts and answers of one sample of 4,112
RESAMPLES = 1000
POINT = 0.01
Pool = dict[str, NDArray[np.generic]]


@pytest.fixture(scope="module")
def pool() -> Pool:
    random = np.random.default_rng(7)
    sizes = [TEXT] * TEXTS + [ANSWER] * ANSWERS
    chat = np.repeat([False] * TEXTS + [True] * ANSWERS, sizes)
    document = np.repeat(np.arange(len(sizes)), sizes)
    apart = np.where(np.arange(len(sizes)) < TEXTS, 0.6, 1.0) * random.standard_normal(len(sizes))
    kl = np.exp(-4.6 + apart[document] + 1.8 * random.standard_normal(len(document)))
    difference = 0.03 * (1 + apart[document]) + 0.3 * random.standard_normal(len(document))
    same = random.random(len(document)) > np.minimum(0.6, 0.09 * np.exp(apart[document] - 0.3))
    return {
        "kl": kl,
        "nll": 3 + difference,
        "nll_source": np.full(len(kl), 3.0),
        "same_best": same,
        "document": document,
        "chat": chat,
    }


def samples(pool: Pool) -> Iterator[list[Pool]]:
    """Of each resample what is known at each look: the first quarter of texts and answers, half of them, all."""
    random = np.random.default_rng(11)
    starts = np.flatnonzero(np.diff(pool["document"].astype(int), prepend=-1))
    for _ in range(RESAMPLES):
        texts, answers = random.permutation(TEXTS)[: DRAWN[0]], TEXTS + random.permutation(ANSWERS)[: DRAWN[1]]
        looks = []
        for share in _reference.SHARES:
            some = [*texts[: round(share * len(texts))], *answers[: round(share * len(answers))]]
            rows = np.concatenate([starts[at] + np.arange(TEXT if at < TEXTS else ANSWER) for at in some])
            looks.append({name: column[rows] for name, column in pool.items()})
        yield looks


def value(metric: str, known: Pool) -> float:
    if metric == "kl_mean":
        return float(known["kl"].astype(float).mean())
    if metric == "kl_p99":
        return float(np.quantile(known["kl"].astype(float), 0.99))
    if metric == "top1_agreement":
        return float(known["same_best"].mean())
    return math.exp(float((known["nll"] - known["nll_source"])[~known["chat"].astype(bool)].mean()))  # type: ignore[operator]


def limit_of(metric: str, true: float, share: float) -> Limit:
    """The limit of which the pool's value is this share: of its distance from perfect, for agreement and perplexity."""
    if metric == "top1_agreement":
        return Limit(min=1 - (1 - true) / share)
    return Limit(max=math.exp(math.log(true) / share) if metric == "perplexity_ratio" else true / share)


def passes(limit: Limit, value: float) -> bool:
    return value >= limit.min if limit.min is not None else value <= (limit.max or 0.0)


@pytest.mark.parametrize("metric", ["kl_mean", "kl_p99", "top1_agreement", "perplexity_ratio"])
def test_wrong_verdicts_exceed_the_whole_samples_by_a_point_at_most(metric: str, pool: Pool) -> None:
    shares = (0.8, 0.95, 1.05, 1.25)
    limits = {share: limit_of(metric, value(metric, pool), share) for share in shares}
    wrong, whole = dict.fromkeys(shares, 0), dict.fromkeys(shares, 0)
    for looks in samples(pool):
        values = [value(metric, known) for known in looks]
        for share, limit in limits.items():
            at = next(at for at, known in enumerate(looks) if _sequential.decided(known, {metric: limit}, at))
            wrong[share] += passes(limit, values[at]) != (share <= 1)
            whole[share] += passes(limit, values[-1]) != (share <= 1)
    assert all(wrong[share] - whole[share] <= POINT * RESAMPLES for share in shares), (wrong, whole)


def test_a_figure_far_from_its_limit_is_decided_at_the_first_look(pool: Pool) -> None:
    """On either side, and of a model that is the source itself: nothing differs, and its spread is none."""
    first = next(samples(pool))[0]
    limits = {
        "kl_mean": Limit(max=0.4),
        "kl_p99": Limit(max=4.0),
        "top1_agreement": Limit(min=0.7),
        "perplexity_ratio": Limit(max=1.4),
    }
    assert _sequential.decided(first, limits, 0)
    assert _sequential.decided(first, {"kl_mean": Limit(max=0.002), "top1_agreement": Limit(min=0.999)}, 0)
    same = first | {"kl": np.zeros_like(first["kl"]), "nll": first["nll_source"]}
    same["same_best"] = np.ones_like(first["same_best"])
    assert _sequential.decided(same, limits, 0)


def test_one_figure_that_is_not_clear_keeps_all_going(pool: Pool) -> None:
    first = next(samples(pool))[0]
    near = Limit(max=value("kl_mean", first) * 1.02)
    assert not _sequential.decided(first, {"kl_mean": near, "top1_agreement": Limit(min=0.5)}, 0)
    assert not _sequential.decided(first, {"kl_mean": near}, 1)
    assert _sequential.decided(first, {"kl_mean": near}, 2)  # of the whole sample


def test_what_nobody_judges_decides_nothing(pool: Pool) -> None:
    assert _sequential.decided(next(samples(pool))[0], {}, 0)


def test_of_three_documents_nothing_is_clear(pool: Pool) -> None:
    some = {name: column[: 3 * TEXT] for name, column in pool.items()}
    assert not _sequential.decided(some, {"kl_mean": Limit(max=9.0)}, 0)
