"""Gate: the next-token distributions of the built model are close to the float source's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.quality import _reference, _stats
from edgekit.quality._context import GateContext, measured, not_measured, run_child
from edgekit.report.measurement import Measurement

KIND = "llm"
METRICS = ("nonfinite_outputs", "kl_mean", "kl_p99", "top1_agreement", "perplexity_ratio")
ADVICE = "try a recipe that keeps more bits (--recipe auto finds one)"


def measure(ctx: GateContext) -> list[Measurement]:
    """KL divergence and top-1 agreement over text and the source's own answers; perplexities over the text alone."""
    reference = _reference.logits(ctx)
    folder, outcome = run_child(ctx, "_child_llm", {"action": "logits", "reference": str(reference)})
    with np.load(folder / "compared.npz") as file:
        found = {name: file[name] for name in file.files}
    nonfinite = measured("nonfinite_outputs", outcome["nonfinite"], n=len(found["kl"]))
    if outcome["nonfinite"]:
        return [nonfinite, *(not_measured(metric, "the logits are not finite") for metric in METRICS[1:])]
    return [nonfinite, *_divergence(found), *_perplexity(found)]


def _divergence(found: dict[str, NDArray[Any]]) -> list[Measurement]:
    chat = int(found["chat"].sum())
    reason = f"{len(found['kl']) - chat} predictions on text, {chat} on the source's own answers"
    statistics: tuple[tuple[str, str, Callable[..., float]], ...] = (
        ("kl_mean", "kl", lambda kl: float(kl.mean())),
        ("kl_p99", "kl", lambda kl: float(np.quantile(kl, 0.99))),
        ("top1_agreement", "same_best", lambda same: float(same.mean())),
    )
    return [_with_interval(name, one, (found[column],), found["document"], reason) for name, column, one in statistics]


def _perplexity(found: dict[str, NDArray[Any]]) -> list[Measurement]:
    """On text only: the source's own answers are the tokens it finds likeliest, so any other model does worse there."""
    text = ~found["chat"]
    if not text.any():
        return [not_measured("perplexity_ratio", "there is no text")]
    nll, source, document = (found[name][text] for name in ("nll", "nll_source", "document"))
    ratio = _with_interval(
        "perplexity_ratio", lambda a, b: _stats.perplexity(a - b), (nll, source), document, "on text"
    )
    both = (("perplexity", nll), ("perplexity@source", source))
    return [ratio, *(measured(name, _stats.perplexity(values), n=len(values)) for name, values in both)]


def _with_interval(
    name: str,
    statistic: Callable[..., float],
    columns: tuple[NDArray[Any], ...],
    groups: NDArray[Any],
    reason: str,
) -> Measurement:
    interval = _stats.bootstrap(statistic, columns, groups)
    return measured(name, statistic(*columns), n=len(groups), interval=interval, reason=reason)
