"""Gate: an int8 key-value cache costs little beside the float cache of the same bundle, deep in the context too.

Both have one file of weights, and this is what the cache alone does; the other gates hold the whole against the source.
One text is read up to half the context, for reading it is what costs.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from edgekit.quality import _reference
from edgekit.quality._context import GateContext, measured, not_measured, run_child
from edgekit.results import metrics as m
from edgekit.results.measurement import Measurement
from edgekit.sources.facts import kv_cache
from edgekit.sources.facts.onnx_graph import parse

KIND = "llm"
ADAPTED = True
CHILDREN = ("edgekit.quality._child_kv_cache",)
METRICS = (m.KL_MEAN.at("float_cache"), m.KL_P99.at("float_cache"), m.KL_MEAN.at("deep_cache"))
ADVICE = "build with --cache-bits 32, which keeps the float cache"
GRAPH, PLACE = "model.onnx", "half_context"
FIRST = 768  # tokens of the text whose predictions are those of a short one


def measure(ctx: GateContext) -> list[Measurement]:
    """Mean and 99th percentile at the beginning, the mean behind half the context; nothing for a float cache."""
    graph = ctx.model / GRAPH
    if not graph.is_file() or not kv_cache.any_int8(parse(graph)):
        return []
    everywhere = _reference.deep(ctx)
    [deep] = [place for place in everywhere if place.name == PLACE]
    if deep.why:
        return [not_measured(metric, deep.why) for metric in METRICS]
    bare = replace(ctx, adapter=None)  # whose text it is, whatever is on
    told = _reference.deep_logits(bare, [place for place in everywhere if not place.why]) / "windows.json"
    ids = next(it["ids"] for it in json.loads(told.read_text(encoding="utf-8")) if it["kind"] == PLACE)
    places = [(0, min(FIRST, deep.start)), (deep.start, deep.end)]
    request = {"action": "compare", "ids": ids, "places": places}
    compared = run_child(ctx, "_child_kv_cache", request)[1]["kl"]
    if compared is None:
        return [not_measured(metric, "the logits are not finite") for metric in METRICS]
    near, far = compared[0] or compared[1], compared[1]
    reasons = [f"beside the float cache, after {start} to {end - 1} tokens" for start, end in places]
    return [
        measured(METRICS[0], float(np.mean(near)), n=len(near), reason=reasons[0]),
        measured(METRICS[1], float(np.quantile(near, 0.99)), n=len(near), reason=reasons[0]),
        measured(METRICS[2], float(np.mean(far)), n=len(far), reason=reasons[1]),
    ]
