"""What the comparison of outputs spares: what is the same needs no run, and a simulator gets so many seconds."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit import console
from edgekit.quality._context import GateContext, measured
from edgekit.results import metrics as m
from edgekit.results.measurement import Measurement
from edgekit.results.metrics import Metric
from edgekit.sources.facts import traces

SIMULATOR_S = 300.0  # of running the built model
KEPT = "nothing was run: graph and weights are the source's own, byte for byte"


def kept(ctx: GateContext, metrics: Sequence[Metric]) -> list[Measurement]:
    """That a model which is kept is its source; empty where it is not, or where somebody limits one of the metrics."""
    if ctx.precision != "as-is" or ctx.ep != "cpu" or {metric.name for metric in metrics} & set(ctx.overrides):
        return []
    if traces.unlike(ctx.model, ctx.source.path):
        return []
    return [measured(m.DIFFERING_FILES, 0, n=1, reason=KEPT)]


def seconds(ctx: GateContext) -> float | None:
    """How long the built model may run; None for as long as it takes."""
    return None if ctx.ep == "cpu" else SIMULATOR_S


def said(entries: list[Measurement], inputs: int, left: int) -> list[Measurement]:
    """The measurements, the first of which says how many inputs were left, where any were."""
    if not left:
        return entries
    why = f"{inputs - left} of {inputs} inputs: the simulator had {SIMULATOR_S:.0f} s for them"
    console.warn(f"compared on {why}")
    return [entries[0].model_copy(update={"reason": why}), *entries[1:]]
