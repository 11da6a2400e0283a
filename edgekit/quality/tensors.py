"""Gate: the outputs of a built tensor model are close to the float source's on the same inputs.

Of several outputs the worst one counts. Outputs are judged by how they depart from the source's mean over the inputs,
or a model that always answers that mean would be close to every source that hardly varies; the plain figures stand
beside. What varies by less than a hundredth of its size is judged by the order of its values. An output that mixes
scales is judged in two parts, or a detector's large coordinates would hide that its scores are zero. What only the
model itself reads (its state) is reported. A model that is kept byte for byte is its source: nothing is run.
"""

from __future__ import annotations

import shutil

import numpy as np

from edgekit.inputs.feeds import write_folder
from edgekit.inputs.outputs import blank_of
from edgekit.kinds.tensor import TensorContract
from edgekit.quality import _bounded
from edgekit.quality._advice import ALL_BITS
from edgekit.quality._context import GateContext, label_names, not_measured, run_child
from edgekit.quality._inputs import useless, wiring
from edgekit.quality._outputs import CLOSE, Asked, judged
from edgekit.results import metrics as m
from edgekit.results.measurement import Measurement

KIND = "tensor"
CHILDREN, ON_PROVIDER = ("edgekit.quality._child_tensor",), True
METRICS = (
    m.NONFINITE_OUTPUTS,
    m.SHAPE_MISMATCHES,
    *CLOSE,
    m.RANK_AGREEMENT,
    m.TOP1_AGREEMENT,
    m.INTEGER_AGREEMENT,
    m.INTEGER_SKILL,
    m.SPECTRAL_DISTANCE_DB,
    m.DISTRIBUTION_DISTANCE,
    m.CHARACTER_AGREEMENT,
    m.BOX_F1,
    m.EMBEDDING_COSINE,
    m.EMBEDDING_SPEARMAN,
    m.DIFFERING_FILES,
    m.DECISION_AGREEMENT,
)
ADVICE = "give calibration data that looks like the app's inputs (--calibration), or try --recipe float32"
INSTEAD = {"float": ALL_BITS, "fixed": "give calibration data like the app's inputs, or take a target of the CPU"}
FAST_INPUTS = 64


def measure(ctx: GateContext) -> list[Measurement]:
    """Both models on the same inputs; a model with state runs its own stream, as it will in the app."""
    assert isinstance(ctx.contract, TensorContract)
    if kept := _bounded.kept(ctx, METRICS):
        return kept
    feeds = ctx.feeds or []
    decode = ctx.contract.decode
    if ctx.mode == "fast":
        feeds = feeds[: max(FAST_INPUTS, ctx.effort.classifier_inputs if decode == "classes" else 0)]
    if why := useless(feeds, ctx.notes):
        return [not_measured(metric, why) for metric in METRICS[:5]]
    folder = ctx.work / "feeds"
    shutil.rmtree(folder, ignore_errors=True)  # the inputs of another variant
    folder.mkdir(parents=True)
    write_folder(folder, feeds)
    states, mask = wiring(ctx.contract)
    pair = {"source": str(ctx.source.path.absolute()), "feeds": str(folder), "states": states}
    read = {"decode": decode, "blank": blank_of(label_names(ctx)), "mask": mask}
    how = {**read, "ep": ctx.ep, "ep_options": dict(ctx.ep_options), "seconds": _bounded.seconds(ctx)}
    where, outcome = run_child(ctx, "_child_tensor", {"action": "compare", **pair, **how})
    with np.load(where / "compared.npz") as file:
        arrays = {name: file[name] for name in file.files}
    found = judged(outcome, arrays, set(states.values()), Asked(decode, ctx.effort.classifier_inputs))
    return _bounded.said(found, len(feeds), outcome["left"])
