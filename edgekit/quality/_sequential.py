"""When figures over tokens are decided: at looks at a quarter, a half and all of the sample, the first that is clear.

A look is clear where every judged figure's interval, by document, lies on one side of its limit. The chance that a look
before the last decides wrongly is spent over these looks (MEASURING.md), on top of the whole sample's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.quality import _reference
from edgekit.quality._context import GateContext, run_child
from edgekit.quality._limits import limits_of
from edgekit.results import metrics as m
from edgekit.results.metrics import Limit

Columns = Mapping[str, NDArray[Any]]  # of compared predictions: kl, nll, nll_source, same_best, document, chat
SPENT = (0.005, 0.005)  # one-sided error of each figure at each look before the last
DOCUMENTS = 4  # of fewer the spread is not known
TAIL = 0.01  # of the predictions, beyond the 99th percentile


def compared(ctx: GateContext) -> tuple[dict[str, NDArray[Any]], int, str]:
    """The built model beside its source, prediction by prediction, look by look.

    Returns: the columns, how many of the built model's logits are no number, and at which look that was decided.
    """
    limits, looks = limits_of(ctx)[0], len(_reference.looks(ctx))
    columns: dict[str, NDArray[Any]] = {}
    for look in range(looks):
        reference = _reference.logits(ctx, look)
        folder, outcome = run_child(ctx, "_child_llm", {"action": "logits", "reference": str(reference)})
        with np.load(folder / "compared.npz") as file:
            columns = {name: np.concatenate([columns.get(name, file[name][:0]), file[name]]) for name in file.files}
        broken = outcome["nonfinite"] or not np.isfinite(columns["nll_source"]).all()
        if broken or decided(columns, limits, look):
            break
    where = f", decided at look {look + 1} of {looks}" if looks > 1 else ""
    return columns, outcome["nonfinite"], where


def decided(known: Columns, limits: Mapping[str, Limit], look: int) -> bool:
    """True where every figure that has a limit is clear of it after this look."""
    if look >= len(SPENT):
        return True
    text = ~known["chat"].astype(bool)
    document = known["document"]
    figures: dict[str, Callable[[float], tuple[NDArray[Any], NDArray[Any], float]]] = {
        m.KL_MEAN.name: lambda bound: (known["kl"], document, bound),
        m.KL_P99.name: lambda bound: (known["kl"] > bound, document, TAIL),
        m.TOP1_AGREEMENT.name: lambda bound: (known["same_best"], document, bound),
        m.PERPLEXITY_RATIO.name: lambda bound: (
            (known["nll"] - known["nll_source"])[text],
            document[text],
            math.log(max(bound, 1e-9)),
        ),
    }
    bounds = [
        (name, bound)
        for name in figures
        if name in limits
        for bound in (limits[name].min, limits[name].max)
        if bound is not None
    ]
    return all(_clear(*figures[name](bound), SPENT[look]) for name, bound in bounds)


def _clear(values: NDArray[Any], documents: NDArray[Any], bound: float, error: float) -> bool:
    """True where the mean of `values` is beyond `bound` on either side, but for this one-sided error.

    The mean is a ratio of sums over documents, its spread that of documents (linearized). A share's interval is
    Wilson's, of as many predictions as the spread is worth: of a few events, or none, the spread says too little.
    """
    _, group = np.unique(documents, return_inverse=True)
    count = int(group.max(initial=-1)) + 1
    if count < DOCUMENTS:
        return False
    sizes, sums = np.bincount(group), np.bincount(group, weights=values.astype(np.float64))
    total, mean = len(values), float(sums.sum()) / len(values)
    variance = count / (count - 1) * float(((sums - mean * sizes) ** 2).sum()) / total**2
    far = _student(count - 1, error)
    if values.dtype != np.bool_:
        scale = bound / mean if mean and values.min() >= 0 else 1.0
        return abs(mean - bound) > far * math.sqrt(variance) * max(1.0, scale)
    plain = mean * (1 - mean) / total
    worth = total / max(1.0, variance / plain if plain else 1.0)
    middle = (mean + far**2 / (2 * worth)) / (1 + far**2 / worth)
    half = far * math.sqrt(mean * (1 - mean) / worth + far**2 / (4 * worth**2)) / (1 + far**2 / worth)
    return abs(middle - bound) > half


@cache
def _student(freedom: int, error: float) -> float:
    """The value that Student's t exceeds with this probability: its density, summed up."""
    at = np.sinh(np.linspace(0, 8, 200_001))  # to 1,490, dense near 0
    density = (1 + at**2 / freedom) ** (-(freedom + 1) / 2)
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
    beyond = 0.5 - scale * np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(at))])
    return float(at[np.argmax(beyond < error)])
