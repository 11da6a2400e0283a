"""Gate: a float model computes what its source does on inputs that cross thresholds, not on the user's alone.

A cast to whole numbers, a clip or a floor that a step of the build took away shows only where values are small or
large enough. int8 clips by design: of it, the float graph that the quantizer was given is asked.
"""

from __future__ import annotations

import math
import shutil

import numpy as np

from edgekit.errors import SourceError
from edgekit.inputs.feeds import Feed, write_folder
from edgekit.kinds.tensor import TensorContract
from edgekit.model import FixedInput, StateInput
from edgekit.quality._context import GateContext, measured, run_child
from edgekit.quality._inputs import wiring
from edgekit.quality._outputs import parts_of
from edgekit.results import metrics as m
from edgekit.results.measurement import Measurement

KIND = "tensor"
CHILDREN, ON_PROVIDER = ("edgekit.quality._child_tensor",), True
METRICS = (m.SQNR_DB.at("scaled"),)
ADVICE = "a step of the build changes what the model computes: report the model, and try --recipe keep"

EXACT = ("float32", "float16", "bfloat16")
SCALES = (1 / 64, 1 / 8, 2.0)  # of the float inputs
INPUTS = 16  # for each of them


def measure(ctx: GateContext) -> list[Measurement]:
    """Signal to noise, plain, at the worst of the scales; nothing where nothing can be scaled, or the source fails.

    Values that are not finite in either model are left out: float16 ends there.
    """
    assert isinstance(ctx.contract, TensorContract)
    states, _ = wiring(ctx.contract)
    kept = {tensor.name for tensor in ctx.contract.inputs if isinstance(tensor.preprocess, (FixedInput, StateInput))}
    begins = [feed for feed in ctx.feeds or [] if not any(np.any(feed[name]) for name in states)][:INPUTS]
    exact = ctx.precision in EXACT
    if not (exact or ctx.prepared) or len(begins) < 2 or not _floats(begins[0], kept):
        return []
    folder = ctx.work / "scaled"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_folder(folder, [_times(feed, scale, kept) for scale in SCALES for feed in begins])
    pair = {"source": str(ctx.source.path.absolute()), "feeds": str(folder), "states": states}
    ran = {"ep": ctx.ep, "ep_options": ctx.ep_options} if exact else {"ep": "cpu", "model": str(ctx.prepared)}
    how = {"action": "compare", "decode": "none", "mask": "", "ep_options": {}, **ran}
    try:
        where, outcome = run_child(ctx, "_child_tensor", {**pair, **how})
    except SourceError:
        return []
    with np.load(where / "compared.npz") as file:
        arrays = {name: file[name] for name in file.files}
    judged = {name: facts for name, facts in outcome["outputs"].items() if name not in states.values()}
    ratios = []
    for at, scale in enumerate(SCALES):
        calls = {name: sums[at * len(begins) : (at + 1) * len(begins)] for name, sums in arrays.items()}
        parts = [
            part for name in judged for part in parts_of(name, judged[name], calls) if "distance" not in judged[name]
        ]
        ratios.append((min((part.plain[m.SQNR_DB.name] for part in parts), default=math.inf), scale))
    worst, scale = min(ratios)
    named = ", ".join(f"{each:g}" for each in SCALES) + ("" if exact else ", into the float graph that was quantized")
    reason = f"inputs times {named}: the worst are those times {scale:g}"
    return [measured(METRICS[0], worst, n=len(SCALES) * len(begins), reason=reason)] if math.isfinite(worst) else []


def _floats(feed: Feed, kept: set[str]) -> bool:
    return any(array.dtype.kind == "f" and name not in kept for name, array in feed.items())


def _times(feed: Feed, scale: float, kept: set[str]) -> Feed:
    """The feed with its float inputs scaled, but for states and fixed values."""
    scaled = {name: array for name, array in feed.items() if array.dtype.kind == "f" and name not in kept}
    return {**feed, **{name: (array * scale).astype(array.dtype) for name, array in scaled.items()}}
