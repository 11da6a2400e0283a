"""Gate: the source and the built model are right by the user's own labels.

A model that is near its source is of no use where the source itself sees nothing: pictures that nobody divided by 255
take an accuracy of .91 to .24, of source and bundle alike. So a source that is no better than chance, or that is right
far more often where its inputs are made in another of the usual ways, makes the verdict invalid, unless the user
accepts the source (--accept-source).
"""

from __future__ import annotations

from edgekit import console
from edgekit.inputs.labels import What
from edgekit.quality import _labelled
from edgekit.quality._context import GateContext, measured, not_measured
from edgekit.results import metrics as m
from edgekit.results.measurement import Measurement

KIND = "tensor"
CHILDREN, ON_PROVIDER = ("edgekit.quality._child_labels",), True
METRICS = (m.ACCURACY, m.MEAN_AVERAGE_PRECISION, m.CHARACTER_ERROR_RATE, m.WORD_ERROR_RATE)
ADVICE = (
    "look at the inputs (edgekit explain SOURCE --calibration FOLDER) and at the labels, and say how inputs are made "
    "(--input-spec); where the source is right and the built model is not, try --recipe float32; "
    "--accept-source builds it as it is, and the manifest says so"
)
INSTEAD = {
    "float": "look at the inputs (edgekit explain SOURCE --calibration FOLDER) and at the labels, and say how inputs "
    "are made (--input-spec); --accept-source builds it as it is, and the manifest says so"
}
OF: dict[What, tuple[m.Metric, ...]] = {
    "classes": (m.ACCURACY,),
    "boxes": (m.MEAN_AVERAGE_PRECISION,),
    "text": (m.CHARACTER_ERROR_RATE, m.WORD_ERROR_RATE),
}
TOLD = 20  # labelled inputs that can tell a source that sees nothing; of fewer it is a warning


def measure(ctx: GateContext) -> list[Measurement]:
    """Both models' figures; nothing without labels, and by name why labels were not used."""
    metrics = OF[ctx.truth.what]
    labelled = _labelled.of(ctx)
    if why := ctx.truth.why or (labelled.why if labelled else ""):
        return _unmeasured(ctx, why)
    if labelled is None:
        return []
    try:
        source, built = labelled.answers([{"who": "source"}, {"who": "built"}])
        faults = labelled.faults(source)
    except _labelled.Unread as unread:
        return _unmeasured(ctx, str(unread))
    inputs = f"{len(labelled.at)} labelled inputs"
    if faults:
        console.warn(f"the float source is {labelled.right(source):.0%} right in {inputs}: {'; '.join(faults)}")
    valid = not faults or len(labelled.at) < TOLD or ctx.source.accepted
    reason = "; ".join(faults)
    entries = []
    for metric, figure, n in zip(metrics, labelled.figures, labelled.sizes, strict=True):
        entry = measured(metric, figure(built), n=n, reason=reason or inputs)
        entries += [
            entry.model_copy(update={"valid": valid}),
            measured(metric.at(m.SOURCE), figure(source), n=n, reason=reason),
        ]
    return entries


def _unmeasured(ctx: GateContext, why: str) -> list[Measurement]:
    """Judged where somebody asked for it, else told."""
    metrics = OF[ctx.truth.what]
    return [not_measured(metric if ctx.truth.asked else metric.at(m.SOURCE), why) for metric in metrics]
