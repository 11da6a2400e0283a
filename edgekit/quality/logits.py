"""Gate: the next-token distributions of the built model are close to the float source's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.quality import _reference, _sequential, _stats
from edgekit.quality._advice import ALL_BITS
from edgekit.quality._context import GateContext, measured, not_measured
from edgekit.results import metrics as m
from edgekit.results.measurement import Measurement
from edgekit.results.metrics import Metric

KIND = "llm"
ADAPTED = True
CHILDREN = ("edgekit.quality._child_llm", *_reference.BASIS.roots)
METRICS = (m.NONFINITE_OUTPUTS, m.KL_MEAN, m.KL_P99, m.TOP1_AGREEMENT, m.PERPLEXITY_RATIO)
ADVICE = "try a recipe that keeps more bits (--recipe auto finds one)"
INSTEAD = {
    "float": ALL_BITS,
    "fixed": "the target fixes its recipe: write a target of your own with another (edgekit targets new --help)",
}


def measure(ctx: GateContext) -> list[Measurement]:
    """KL divergence and top-1 agreement over text and the source's own answers; perplexities over the text alone."""
    compared, strange_logits, where = _sequential.compared(ctx)
    nonfinite = measured(m.NONFINITE_OUTPUTS, strange_logits, n=len(compared["kl"]))
    if strange := int(np.count_nonzero(~np.isfinite(compared["nll_source"]))):
        reason = f"{strange} of the source's own {len(compared['kl'])} predictions are no number"
        own = measured(m.NONFINITE_OUTPUTS.at(m.SOURCE), strange, n=len(compared["kl"]), reason=reason)
        return [nonfinite, own, *(not_measured(metric, reason) for metric in METRICS[1:])]
    if strange_logits:
        return [nonfinite, *(not_measured(metric, "the logits are not finite") for metric in METRICS[1:])]
    return [nonfinite, *_divergence(compared, where), *_perplexity(compared, where)]


def _divergence(found: dict[str, NDArray[Any]], where: str) -> list[Measurement]:
    chat = int(found["chat"].sum())
    reason = f"{len(found['kl']) - chat} predictions on text, {chat} on the source's own answers{where}"
    statistics: tuple[tuple[Metric, str, Callable[..., float]], ...] = (
        (m.KL_MEAN, "kl", lambda kl: float(kl.mean())),
        (m.KL_P99, "kl", lambda kl: float(np.quantile(kl, 0.99))),
        (m.TOP1_AGREEMENT, "same_best", lambda same: float(same.mean())),
    )
    return [
        _with_interval(metric, one, (found[column],), found["document"], reason) for metric, column, one in statistics
    ]


def _perplexity(found: dict[str, NDArray[Any]], where: str) -> list[Measurement]:
    """On text only: the source's own answers are the tokens it finds likeliest, so any other model does worse there."""
    text = ~found["chat"]
    if not text.any():
        return [not_measured(m.PERPLEXITY_RATIO, "there is no text")]
    nll, source, document = (found[name][text] for name in ("nll", "nll_source", "document"))
    ratio = _with_interval(
        m.PERPLEXITY_RATIO, lambda a, b: _stats.perplexity(a - b), (nll, source), document, f"on text{where}"
    )
    both = ((m.PERPLEXITY, nll), (m.PERPLEXITY.at(m.SOURCE), source))
    return [ratio, *(measured(metric, _stats.perplexity(values), n=len(values)) for metric, values in both)]


def _with_interval(
    metric: Metric,
    statistic: Callable[..., float],
    columns: tuple[NDArray[Any], ...],
    groups: NDArray[Any],
    reason: str,
) -> Measurement:
    interval = _stats.bootstrap(statistic, columns, groups)
    return measured(metric, statistic(*columns), n=len(groups), interval=interval, reason=reason)
