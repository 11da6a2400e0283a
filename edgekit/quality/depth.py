"""Gate: the built model is right far in its context too, where attention and rotary factors change.

Past half the bundle's context, across the border of a sliding window, and across the one of LongRoPE. Runtime and
source switch there by rules of their own, and short texts never see it. The runtime goes there as an app does: it reads
a long prompt, then generates token by token.
"""

from __future__ import annotations

import numpy as np

from edgekit.quality import _reference
from edgekit.quality._context import GateContext, measured, not_measured, run_child
from edgekit.results import metrics as m
from edgekit.results.measurement import Measurement

KIND = "llm"
METRICS = tuple(m.KL_MEAN.at(place) for place in ("half_context", "sliding_window", "longrope"))
ADVICE = "build with a shorter max_length, which keeps texts before the place, and report the model"


def measure(ctx: GateContext) -> list[Measurement]:
    """The mean KL divergence at each place that a text of the bundle reaches; places beyond are in the reasons."""
    everywhere = _reference.deep(ctx)
    places = [place for place in everywhere if not place.why]
    if not places:
        return []
    reference = _reference.deep_logits(ctx, places)
    request = {"action": "deep", "reference": str(reference), "switch": _reference.longrope(ctx)}
    found = run_child(ctx, "_child_llm", request)[1]["kl"]
    beyond = "; ".join(f"{place.name} is not reached: {place.why}" for place in everywhere if place.why)
    measurements = []
    for place in places:
        metric = m.KL_MEAN.at(place.name)
        reason = f"after {place.start} to {place.end - 1} tokens" + (f"; {beyond}" if beyond else "")
        values = found[place.name]
        if values is None:
            measurements.append(not_measured(metric, f"the logits are not finite {reason}"))
        else:
            measurements.append(measured(metric, float(np.mean(values)), n=len(values), reason=reason))
    return measurements
