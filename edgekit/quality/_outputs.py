"""From the sums that the gate's child keeps of two models' outputs to measurements: how close they are, and why not.

Outputs are compared by how they depart from the source's mean over the inputs; what varies by less than a hundredth of
its size is judged by the order of its values. An output that mixes scales is judged in two parts.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.inputs.layouts import LAYOUTS
from edgekit.quality import _stats
from edgekit.quality._context import measured, not_measured
from edgekit.results import metrics as m
from edgekit.results.measurement import Measurement

CLOSE = (m.COSINE_MEAN, m.COSINE_P05, m.SQNR_DB)
DECODED: dict[str, tuple[m.Metric, ...]] = {
    "classes": (m.TOP1_AGREEMENT,),
    "ctc": (m.CHARACTER_AGREEMENT,),
    "dbnet": (m.BOX_F1,),
    "mean-pool": (m.EMBEDDING_COSINE, m.EMBEDDING_SPEARMAN),
    "none": (),
}
PLAIN = "plain"  # the place of the figures of whole outputs, the source's mean included

WHOLE = ("dot", "source", "built")  # what the child keeps of each call, and of its departure from the mean
CENTRED = ("centred.dot", "centred.source", "centred.built")
SUMS = (*WHOLE, *CENTRED, "noise")
SMALL = 8  # values; the direction of fewer says nothing, so such outputs are compared over BLOCK calls at once
BLOCK = 32
FLOOR = 1e-3  # of the mean energy; an answer far below the usual level is held against that level, not its own noise
GAP = 10.0  # times; channels whose levels are further apart are judged apart
NO_NUMBERS = "the source itself answers"
NAN, INFINITE = 0.25, 0.9  # of an output's values; a source that answers so little is no reference
RANDOM = "holds random numbers that the two models do not draw alike"
DECISIONS = 20  # of each kind; of fewer a single one beside the threshold decides
BOXES = 100  # of a detector of things; by fewer a single one beside its threshold decides
SPREAD = 0.01  # of the root mean square; what departs less from its mean is judged by order
NOISE = 1e-6  # of it; what departs less is always the same, as survey.differs has it, and has no order


@dataclass(frozen=True)
class Asked:
    """What the outputs are read by: the decode, and how many inputs a classifier needs."""

    decode: str
    classifier_inputs: int


def judged(
    outcome: dict[str, Any], arrays: dict[str, NDArray[Any]], states: set[str], asked: Asked
) -> list[Measurement]:
    outputs = {name: facts for name, facts in outcome["outputs"].items() if name not in states}
    apart = {name: facts["distance"] for name, facts in outcome["outputs"].items() if "distance" in facts}
    calls = max(facts["calls"] for facts in outcome["outputs"].values())
    sound = [
        measured(m.NONFINITE_OUTPUTS, outcome["nonfinite"], n=calls),
        measured(m.SHAPE_MISMATCHES, outcome["mismatches"], n=calls * len(outcome["outputs"])),
        *_strange(outputs),
        *_distances(apart, played=asked.decode == "sound"),
    ]
    if why := _no_reference(outputs):
        return [*sound, *(not_measured(metric, why) for metric in CLOSE)]
    if not any(facts["varies"] for facts in outputs.values()):
        why = "the source's outputs do not depend on its inputs"
        return [*sound, *(not_measured(metric, why) for metric in CLOSE)]
    if outcome["nonfinite"]:
        return [*sound, *(not_measured(metric, "NaN or infinity is not where the source has it") for metric in CLOSE)]
    by_value = [name for name in outcome["outputs"] if name not in apart]
    parts = [part for name in by_value for part in parts_of(name, outcome["outputs"][name], arrays)]
    decided = _decisions(arrays)
    otherwise = next(iter(outcome["outputs"])) if decided else ""
    return [
        *sound,
        *decided,
        *_closeness([part for part in parts if part.output not in states], otherwise),
        *_order([part for part in parts if part.output not in (*states, otherwise)], outputs),
        *_reported(parts, outcome["outputs"]),
        *_integers(outputs),
        *_decoded(arrays, asked),
    ]


def _decisions(arrays: dict[str, NDArray[Any]]) -> list[Measurement]:
    """Whether what an app decides stays; nothing where the source hardly decides both ways, which values then judge."""
    if "decoded.decided" not in arrays:
        return []
    stay, yes, refuse, no = arrays["decoded.decided"].sum(axis=0).tolist()
    if min(yes, no) < DECISIONS:
        return []
    reason = f"{yes} times speech, {no} times none"
    return [measured(m.DECISION_AGREEMENT, (stay / yes + refuse / no) / 2, n=yes + no, reason=reason)]


def _strange(outputs: dict[str, Any]) -> list[Measurement]:
    """How many of the source's own values are no number, or infinite; nothing where all are numbers."""
    counts = {name: facts["nan"] + facts["infinite"] for name, facts in outputs.items()}
    if not any(counts.values()):
        return []
    shares = [
        f"{name!r}: {facts['nan'] / facts['values']:.1%} NaN, {facts['infinite'] / facts['values']:.1%} infinite"
        for name, facts in outputs.items()
        if counts[name]
    ]
    values = sum(facts["values"] for facts in outputs.values())
    return [measured(m.NONFINITE_OUTPUTS.at(m.SOURCE), sum(counts.values()), n=values, reason="; ".join(shares))]


def _distances(apart: dict[str, dict[str, float]], *, played: bool) -> list[Measurement]:
    """How far the distributions of outputs are whose values need not be alike; the worst."""
    measurements = []
    for metric in (m.SPECTRAL_DISTANCE_DB, m.DISTRIBUTION_DISTANCE):
        known = {name: values[metric.name] for name, values in apart.items() if metric.name in values}
        if known:
            worst = max(known, key=lambda name: known[name])
            why = "is sound, whose phase nobody hears" if played else RANDOM
            reason = f"{worst!r} {why}"
            measurements.append(measured(metric, known[worst], n=len(known), reason=reason))
    return measurements


def _no_reference(outputs: dict[str, Any]) -> str:
    """Why nothing can be held against the source: it answers no numbers. An infinity is an answer, as a mask's is."""
    for name, facts in outputs.items():
        if facts["nan"] > NAN * facts["values"]:
            return f"{NO_NUMBERS} NaN in {facts['nan'] / facts['values']:.0%} of {name!r}"
        if facts["nan"] + facts["infinite"] > INFINITE * facts["values"]:
            return f"{NO_NUMBERS} infinity in {facts['infinite'] / facts['values']:.0%} of {name!r}"
    return ""


Sums = NDArray[np.float64]  # [calls]


@dataclass(frozen=True)
class Part:
    """The statistics of one output, or of some channels of it.

    Attributes:
        centred, plain: the metrics of CLOSE by name, without and with the source's mean.
        spread: of the source around its mean, as a share of its root mean square.
    """

    output: str
    title: str
    centred: dict[str, float]
    plain: dict[str, float]
    spread: float
    n: int


def parts_of(name: str, facts: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Iterator[Part]:
    """One part, or two where the levels of the channels are far apart; none for an output that never changes."""
    if f"{name}.dot" not in arrays or not facts["varies"]:
        return
    sums = {word: arrays[f"{name}.{word}"] for word in SUMS}
    if facts["size"] < SMALL:
        places = np.arange(0, len(sums["dot"]), BLOCK)
        sums = {word: np.add.reduceat(values, places, axis=0) for word, values in sums.items()}
    for channels in _groups(sums["source"].sum(axis=0)):
        some = {word: values[:, channels].sum(axis=1) for word, values in sums.items()}
        plain, centred = (_figures(*(some[word] for word in (*words, "noise"))) for words in (WHOLE, CENTRED))
        energy = float(some["source"].sum())
        yield Part(
            name,
            repr(name) if len(channels) == sums["dot"].shape[1] else f"{len(channels)} channels of {name!r}",
            centred,
            plain,
            math.sqrt(float(some["centred.source"].sum()) / energy) if energy else 1.0,  # beside an answer beyond it
            len(some["noise"]),
        )


def _figures(dot: Sums, source: Sums, built: Sums, noise: Sums) -> dict[str, float]:
    """The metrics of CLOSE, from sums of each call."""
    floor = FLOOR * float(source.mean())
    cosine = _stats.cosine(dot + floor, source + floor, built + floor)
    values = cosine.mean(), np.quantile(cosine, 0.05), _stats.sqnr_db(float(source.sum()), float(noise.sum()))
    return {metric.name: float(value) for metric, value in zip(CLOSE, values, strict=True)}


def _groups(energy: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """The channels in one group, or in two at the widest gap of their levels, where that is GAP or wider."""
    order = np.argsort(energy)
    heard = order[energy[order] > energy.max() * 1e-14]  # silent channels follow the lowest group
    levels = np.sqrt(energy[heard])
    if len(heard) < 2 or float((ratios := levels[1:] / levels[:-1]).max()) < GAP:
        return [np.arange(len(energy))]
    border = len(order) - len(heard) + int(ratios.argmax()) + 1
    return [np.sort(order[:border]), np.sort(order[border:])]


def _closeness(parts: list[Part], otherwise: str) -> list[Measurement]:
    """Each metric of the part that does worst in it: around the mean, where the source varies, and of all, plain.

    Args:
        otherwise: an output that is judged in another way.
    """
    varying = [part for part in parts if part.spread >= SPREAD and part.output != otherwise]
    judged = [(metric, part.centred, part) for metric in CLOSE for part in varying]
    shown = [(metric.at(PLAIN), part.plain, part) for metric in CLOSE for part in parts]
    found = []
    for metric, _ in itertools.groupby(judged + shown, key=lambda row: row[0]):
        stem = metric.name.partition("@")[0]
        rows = [(figures[stem], part) for known, figures, part in judged + shown if known == metric]
        value, worst = min(rows, key=lambda row: row[0])
        reason = f"the worst of {len(rows)}: {worst.title}" if len(rows) > 1 else ""
        found.append(measured(metric, value, n=worst.n, reason=reason))
    return found


def _order(parts: list[Part], outputs: dict[str, Any]) -> list[Measurement]:
    """Whether outputs that hardly depart from their mean at least rise and fall as the source's; of several the worst.

    The figure is of whole outputs, whose channels are followed from call to call.
    """
    still = {part.output: part for part in parts if NOISE < part.spread < SPREAD}
    known = {name: outputs[name]["ranks"] for name in still if outputs[name]["ranks"] is not None}
    if not known:
        return []
    worst = min(known, key=lambda name: float(known[name]))
    reason = f"{worst!r} departs from its mean by {still[worst].spread:.2g} of its size"
    return [measured(m.RANK_AGREEMENT, known[worst], n=outputs[worst]["calls"], reason=reason)]


def _reported(parts: list[Part], outputs: dict[str, Any]) -> list[Measurement]:
    """The mean cosine of each part, where there are several, and which outputs never change; nothing judges these."""
    found = []
    if len(parts) > 1:
        found += [measured(m.COSINE_MEAN.at(part.title), part.centred[m.COSINE_MEAN.name], n=part.n) for part in parts]
    still = [name for name, facts in outputs.items() if not facts["varies"]]
    return found + [not_measured(m.COSINE_MEAN.at(repr(name)), "it does not depend on the input") for name in still]


def _integers(outputs: dict[str, Any]) -> list[Measurement]:
    """The share of equal values in outputs that are not float, and what of it is no merit of a constant; the worst."""
    known = {name: facts for name, facts in outputs.items() if facts["equal"] is not None and facts["varies"]}
    if not known:
        return []
    worst = min(known, key=lambda name: float(known[name]["equal"]))
    figures = [measured(m.INTEGER_AGREEMENT, known[worst]["equal"], n=known[worst]["calls"], reason=repr(worst))]
    skilled = {name: facts["skill"] for name, facts in known.items() if facts["skill"] is not None}
    if skilled:
        worst = min(skilled, key=lambda name: float(skilled[name]))
        figures.append(measured(m.INTEGER_SKILL, skilled[worst], n=known[worst]["calls"], reason=repr(worst)))
    return figures


def _decoded(arrays: dict[str, NDArray[Any]], asked: Asked) -> list[Measurement]:
    """What an app makes of the outputs; a decode that could not be made of them is not measured, by its metric."""
    made = {name.removeprefix("decoded."): array for name, array in arrays.items() if name.startswith("decoded.")}
    figures: list[Measurement] = []
    if not any(not name.startswith("right.") for name in made):
        why = f"the first output is not what {asked.decode!r} reads"
        return [not_measured(metric, why) for metric in DECODED.get(asked.decode, ())]
    if "same_best" in made:
        figures.append(_top1(made["same_best"], asked.classifier_inputs))
    if "edits" in made:
        total, n = int(made["characters"].sum()), len(made["edits"])
        if total:
            agreement = max(0.0, 1 - float(made["edits"].sum()) / total)
            figures.append(measured(m.CHARACTER_AGREEMENT, agreement, n=n, reason=f"{total} characters"))
        else:
            figures.append(not_measured(m.CHARACTER_AGREEMENT, "the source reads no character in these inputs"))
    if "embedding.source" in made:
        figures += _embeddings(made["embedding.source"], made["embedding.built"])
    if "boxes" in made:
        figures.append(_boxes(made["boxes"], BOXES if asked.decode in LAYOUTS else 1))
    return figures


def _boxes(counts: NDArray[np.int_], wanted: int) -> Measurement:
    """The F1 of the built model's boxes against the source's; of fewer than are wanted it is reported, not judged."""
    both, source, built = counts.sum(axis=0).tolist()
    metric = m.BOX_F1 if source >= wanted or wanted == 1 else m.BOX_F1.at(str(source))
    if not source:
        return not_measured(metric, "the source finds nothing in these inputs")
    few = "" if metric is m.BOX_F1 else f", and {wanted} are needed to judge by"
    reason = f"{source} boxes of the source{few}"
    return measured(metric, 2 * both / (source + built), n=len(counts), reason=reason)


def _top1(same: NDArray[np.bool_], wanted: int) -> Measurement:
    """A few inputs cannot see a broken quantization: then it is reported under a name that no limit has."""
    if len(same) >= wanted:
        return measured(m.TOP1_AGREEMENT, float(same.mean()), n=len(same))
    reason = f"reported, not judged: {wanted} inputs are needed"
    return measured(m.TOP1_AGREEMENT.at(str(len(same))), float(same.mean()), n=len(same), reason=reason)


def _embeddings(source: NDArray[np.float64], built: NDArray[np.float64]) -> list[Measurement]:
    """How far each embedding turned, and whether the pairs of texts keep their order of likeness."""
    pairs = np.triu_indices(len(source), 1)
    ranks = _stats.spearman((source @ source.T)[pairs], (built @ built.T)[pairs])
    return [
        measured(m.EMBEDDING_COSINE, float((source * built).sum(axis=1).mean()), n=len(source)),
        measured(m.EMBEDDING_SPEARMAN, ranks, n=len(pairs[0])),
    ]
