"""Gate: the outputs of a built tensor model are close to the float source's on the same inputs.

Of several outputs the worst one counts. An output that mixes scales is judged in two parts, or a detector's large
coordinates would hide that its scores are zero. What only the model itself reads (its state) is reported.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.bundle.manifest import TensorContract
from edgekit.inputs.feeds import write_folder
from edgekit.model import StateInput, TextInput
from edgekit.quality import _stats
from edgekit.quality._context import GateContext, measured, not_measured, run_child
from edgekit.report.measurement import Measurement

KIND = "tensor"
CLOSE = ("cosine_mean", "cosine_p05", "sqnr_db")
METRICS = (
    "nonfinite_outputs",
    "shape_mismatches",
    *CLOSE,
    "top1_agreement",
    "integer_agreement",
    "character_agreement",
    "box_f1",
    "embedding_cosine",
    "embedding_spearman",
)
ADVICE = "give calibration data that looks like the app's inputs (--calibration), or try --recipe float32"

SUMS = ("dot", "source", "built", "noise")  # what the child keeps of each call
FAST_INPUTS = 64
SMALL = 8  # values; the direction of fewer says nothing, so such outputs are compared over BLOCK calls at once
BLOCK = 32
FLOOR = 1e-3  # of the mean energy; an answer far below the usual level is held against that level, not its own noise
GAP = 10.0  # times; channels whose levels are further apart are judged apart


def measure(ctx: GateContext) -> list[Measurement]:
    """Both models on the same inputs; a model with state runs its own stream, as it will in the app."""
    assert isinstance(ctx.contract, TensorContract)
    feeds = ctx.feeds or []
    decode = ctx.contract.decode
    if ctx.mode == "fast":
        feeds = feeds[: max(FAST_INPUTS, ctx.effort.classifier_inputs if decode == "classes" else 0)]
    if len(feeds) < 2:
        return [not_measured(metric, "there are no two inputs to compare on") for metric in METRICS[:5]]
    folder = ctx.work / "feeds"
    shutil.rmtree(folder, ignore_errors=True)  # the inputs of another variant
    folder.mkdir(parents=True)
    write_folder(folder, feeds)
    states, mask = _wiring(ctx.contract)
    runs = {"ep": ctx.ep, "ep_options": dict(ctx.ep_options)}
    request = {"source": str(ctx.source.path.absolute()), "feeds": str(folder), "states": states, **runs}
    where, outcome = run_child(ctx, "_child_tensor", {"action": "compare", "decode": decode, "mask": mask, **request})
    with np.load(where / "compared.npz") as file:
        arrays = {name: file[name] for name in file.files}
    return _judged(outcome, arrays, set(states.values()), ctx.effort.classifier_inputs)


def _wiring(contract: TensorContract) -> tuple[dict[str, str], str]:
    """State input -> output, and the input that masks token vectors."""
    states = {one.name: one.preprocess.output for one in contract.inputs if isinstance(one.preprocess, StateInput)}
    masks = [
        one.name
        for one in contract.inputs
        if isinstance(one.preprocess, TextInput) and one.preprocess.feature == "mask"
    ]
    return states, masks[0] if masks else ""


def _judged(
    outcome: dict[str, Any], arrays: dict[str, NDArray[Any]], states: set[str], classifier_inputs: int
) -> list[Measurement]:
    outputs = {name: facts for name, facts in outcome["outputs"].items() if name not in states}
    calls = max(facts["calls"] for facts in outcome["outputs"].values())
    sound = [
        measured("nonfinite_outputs", outcome["nonfinite"], n=calls),
        measured("shape_mismatches", outcome["shape_mismatches"], n=calls * len(outcome["outputs"])),
    ]
    if not any(facts["varies"] for facts in outputs.values()):
        why = "the source's outputs do not depend on its inputs"
        return [*sound, *(not_measured(metric, why) for metric in CLOSE)]
    if outcome["nonfinite"]:
        return [*sound, *(not_measured(metric, "the outputs are not finite") for metric in CLOSE)]
    parts = [part for name in outcome["outputs"] for part in _parts(name, outcome["outputs"][name], arrays)]
    return [
        *sound,
        *_closeness([part for part in parts if part.output not in states]),
        *_reported(parts, outcome["outputs"]),
        *_integers(outputs),
        *_decoded(arrays, classifier_inputs),
    ]


@dataclass(frozen=True)
class Part:
    """The statistics of one output, or of some channels of it."""

    output: str
    title: str
    cosine_mean: float
    cosine_p05: float
    sqnr_db: float
    n: int


def _parts(name: str, facts: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Iterator[Part]:
    """One part, or two where the levels of the channels are far apart; none for an output that never changes."""
    if f"{name}.dot" not in arrays or not facts["varies"]:
        return
    sums = {word: arrays[f"{name}.{word}"] for word in SUMS}
    if facts["size"] < SMALL:
        places = np.arange(0, len(sums["dot"]), BLOCK)
        sums = {word: np.add.reduceat(values, places, axis=0) for word, values in sums.items()}
    for channels in _groups(sums["source"].sum(axis=0)):
        dot, source, built, noise = (values[:, channels].sum(axis=1) for values in sums.values())
        floor = FLOOR * float(source.mean())
        cosine = _stats.cosine(dot + floor, source + floor, built + floor)
        yield Part(
            name,
            repr(name) if len(channels) == sums["dot"].shape[1] else f"{len(channels)} channels of {name!r}",
            float(cosine.mean()),
            float(np.quantile(cosine, 0.05)),
            _stats.sqnr_db(float(source.sum()), float(noise.sum())),
            len(cosine),
        )


def _groups(energy: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """The channels in one group, or in two at the widest gap of their levels, where that is GAP or wider."""
    order = np.argsort(energy)
    heard = order[energy[order] > energy.max() * 1e-14]  # silent channels follow the lowest group
    levels = np.sqrt(energy[heard])
    if len(heard) < 2 or float((ratios := levels[1:] / levels[:-1]).max()) < GAP:
        return [np.arange(len(energy))]
    border = len(order) - len(heard) + int(ratios.argmax()) + 1
    return [np.sort(order[:border]), np.sort(order[border:])]


def _closeness(parts: list[Part]) -> list[Measurement]:
    """Each metric of the part that does worst in it."""
    found = []
    for metric in CLOSE if parts else ():
        worst = min(parts, key=lambda part: float(getattr(part, metric)))
        reason = f"the worst of {len(parts)}: {worst.title}" if len(parts) > 1 else ""
        found.append(measured(metric, getattr(worst, metric), n=worst.n, reason=reason))
    return found


def _reported(parts: list[Part], outputs: dict[str, Any]) -> list[Measurement]:
    """The mean cosine of each part, where there are several, and which outputs never change; nothing judges these."""
    found = []
    if len(parts) > 1:
        found += [measured(f"cosine_mean@{part.title}", part.cosine_mean, n=part.n) for part in parts]
    still = [name for name, facts in outputs.items() if not facts["varies"]]
    return found + [not_measured(f"cosine_mean@{name!r}", "it does not depend on the input") for name in still]


def _integers(outputs: dict[str, Any]) -> list[Measurement]:
    """The share of equal values in outputs that are not float; of several the worst."""
    known = {name: facts for name, facts in outputs.items() if facts["equal"] is not None and facts["varies"]}
    if not known:
        return []
    worst = min(known, key=lambda name: float(known[name]["equal"]))
    return [measured("integer_agreement", known[worst]["equal"], n=known[worst]["calls"], reason=repr(worst))]


def _decoded(arrays: dict[str, NDArray[Any]], classifier_inputs: int) -> list[Measurement]:
    """What an app makes of the outputs."""
    made = {name.removeprefix("decoded."): array for name, array in arrays.items() if name.startswith("decoded.")}
    found = []
    if "same_best" in made:
        found.append(_top1(made["same_best"], classifier_inputs))
    if "edits" in made:
        total, n = int(made["characters"].sum()), len(made["edits"])
        if total:
            agreement = max(0.0, 1 - float(made["edits"].sum()) / total)
            found.append(measured("character_agreement", agreement, n=n, reason=f"{total} characters"))
        else:
            found.append(not_measured("character_agreement", "the source reads no character in these inputs"))
    if "embedding.source" in made:
        found += _embeddings(made["embedding.source"], made["embedding.built"])
    if "boxes" in made:
        found.append(_boxes(made["boxes"]))
    return found


def _boxes(counts: NDArray[np.int_]) -> Measurement:
    """The F1 of the built model's boxes against the source's."""
    both, source, built = counts.sum(axis=0).tolist()
    if not source:
        return not_measured("box_f1", "the source finds nothing in these inputs")
    return measured("box_f1", 2 * both / (source + built), n=len(counts), reason=f"{source} boxes of the source")


def _top1(same: NDArray[np.bool_], wanted: int) -> Measurement:
    """A few inputs cannot see a broken quantization: then it is reported under a name that no limit has."""
    if len(same) >= wanted:
        return measured("top1_agreement", float(same.mean()), n=len(same))
    reason = f"reported, not judged: {wanted} inputs are needed"
    return measured(f"top1_agreement@{len(same)}", float(same.mean()), n=len(same), reason=reason)


def _embeddings(source: NDArray[np.float64], built: NDArray[np.float64]) -> list[Measurement]:
    """How far each embedding turned, and whether the pairs of texts keep their order of likeness."""
    pairs = np.triu_indices(len(source), 1)
    ranks = _stats.spearman((source @ source.T)[pairs], (built @ built.T)[pairs])
    return [
        measured("embedding_cosine", float((source * built).sum(axis=1).mean()), n=len(source)),
        measured("embedding_spearman", ranks, n=len(pairs[0])),
    ]
