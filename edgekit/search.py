"""climb(): `--recipe auto`. From the smallest recipe upwards, the first whose bundle passes the gate and its budgets.

The rungs are fixed, in the order of their sizes; what was quantized, computed or judged before comes out of the caches,
so the same model, target and limits give the same ladder and the same choice. A rung that fails seals nothing.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from edgekit import build, console, faces, kinds, recipes
from edgekit.build import Built, Job, Options
from edgekit.contract.manifest import Quality
from edgekit.errors import BuildError, NotMeasured, QualityError, UsageError
from edgekit.recipes import Candidate
from edgekit.results import metrics as m
from edgekit.results.metrics import Limit
from edgekit.target import Target

BUDGET = m.BUNDLE_MB.name  # what a build can tell without a device
Outcome = Literal["pass", "fail", "not-measured", "over-budget", "not-built"]


@dataclass(frozen=True)
class Rung:
    """What one candidate came to.

    Attributes:
        model_mb: of its model's files; None where nothing was built.
        values: what the gate measured, by metric.
        reason: why it is not the one.
    """

    label: str
    outcome: Outcome
    model_mb: float | None
    values: dict[str, float]
    reason: str = ""


@dataclass(frozen=True)
class Ladder:
    """The rungs up to the chosen one, or all of them.

    Attributes:
        metric, limit: what is drawn against the size, and where the gate draws the line.
        built: the bundle of the last rung, if it passed.
    """

    model: str
    target: str
    metric: str
    limit: Limit | None
    rungs: tuple[Rung, ...]
    built: Built | None


def climb(ref: str, target_name: str | Target, options: Options) -> Ladder:
    """Build the smallest bundle that passes.

    Args:
        options: as of a build; its recipe is not looked at.

    Raises:
        UsageError: the target fixes its recipes, the model is quantized already, or the gate is switched off.
        EdgekitError: what is not a candidate's own failure: a broken source, a full disk, an occupied destination.
    """
    if options.quality == "off":
        raise UsageError("--recipe auto needs the gate", next="leave out --quality off, or name a recipe")
    [job] = build.prepare(ref, [target_name], replace(options, recipe=None))
    _suits(job)
    limit = _budget(job)
    rungs: list[Rung] = []
    built = None
    for candidate in recipes.candidates(job.source.model.kind):
        if candidate.calibrated and job.calibration is None:
            continue
        console.say(f"--recipe auto: {candidate.label}")
        rung, built = _step(_with(job, candidate, options), candidate, options, limit)
        rungs.append(rung)
        console.say(f"--recipe auto: {candidate.label}: {rung.outcome}{f', {rung.reason}' if rung.reason else ''}")
        if built is not None or rung.outcome == "over-budget":  # the next is larger still
            break
    asked = kinds.of(job.source.model.kind).headlines
    metric = next(metric.name for metric in asked if metric.found_by == "gate")  # drawn against the size
    return Ladder(job.source.model.name, job.target.name, metric, _line(job, metric, built), tuple(rungs), built)


def _suits(job: Job) -> None:
    if job.target.settings(job.source.model.kind).variant:
        fixed = ", ".join(dict.fromkeys(one.recipe for one in job.plan.variants))
        raise UsageError(f"{job.target.name} fixes its recipes: {fixed}", next="leave out --recipe auto")
    if job.source.model.quantized:
        raise UsageError(f"{job.source.model.name} is quantized already", next="leave out --recipe auto")


def _with(job: Job, candidate: Candidate, options: Options) -> Job:
    """The same job with a candidate's recipe and settings."""
    kind = job.source.model.kind
    settings = job.target.settings(kind).model_copy(update=dict(candidate.settings))
    target = job.target.model_copy(update={kind: settings})
    made = build.planned(job.source, target, job.calibration, replace(options, recipe=candidate.recipe))
    return replace(job, target=target, plan=made)


def _step(job: Job, candidate: Candidate, options: Options, limit: Limit) -> tuple[Rung, Built | None]:
    """Quantize one candidate, and build its bundle unless it is too large already."""
    megabytes = None
    try:
        megabytes = _quantized_mb(job)
        face = faces.find(job.target.face)
        smallest = megabytes + (_size_mb(face.files().values()) if face else 0.0)
        if limit.max is not None and smallest > limit.max:
            why = f"{smallest:.1f} MB, {limit.max:g} are allowed"
            return Rung(candidate.label, "over-budget", megabytes, {}, why), None
        built = build.build(job, options)
    except (QualityError, NotMeasured) as error:
        outcome: Outcome = "fail" if isinstance(error, QualityError) else "not-measured"
        return Rung(candidate.label, outcome, megabytes, _left(job, options), error.message), None
    except BuildError as error:
        if error.killed == "somebody":  # which says nothing of the recipe
            raise
        return Rung(candidate.label, "not-built", megabytes, {}, error.message), None
    return Rung(candidate.label, "pass", megabytes, _values(built.manifest.judged)), built


def _quantized_mb(job: Job) -> float:
    """Quantize, or find what was quantized; megabytes of the model's files."""
    with tempfile.TemporaryDirectory(prefix="edgekit-calibration-") as room:
        entry = build.quantized(job, Path(room))[job.plan.main.name]
    return _size_mb((entry.path / "model").rglob("*"))


def _size_mb(files: Iterable[Path]) -> float:
    return round(sum(path.stat().st_size for path in files if path.is_file()) / 1e6, 3)


def _budget(job: Job) -> Limit:
    """The size that the target, or the model's card, allows."""
    card = job.source.card.budget if job.source.card else {}
    return (job.target.budgets(job.source.model.kind) | card).get(BUDGET, Limit())


def _left(job: Job, options: Options) -> dict[str, float]:
    """What a failed gate measured: the report that the build left."""
    path = (options.out / job.name).absolute().with_name(f"{job.name}.quality.json")
    try:
        return _values(Quality.model_validate(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, ValidationError):
        return {}


def _values(found: Quality) -> dict[str, float]:
    return {one.metric: one.value for one in found.measurements if one.value is not None}


def _line(job: Job, metric: str, built: Built | None) -> Limit | None:
    """The gate's limit of the metric, where the last verdict has it."""
    if built is None:
        return job.limits.get(metric)
    return next((one.limit for one in built.manifest.judged.verdicts if one.metric == metric), None)
