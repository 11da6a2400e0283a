"""climb(): `--recipe auto`. From the smallest recipe upwards, the first whose bundle passes the gate and its budgets.

The rungs are fixed, in the order of their sizes; what was quantized, computed or judged before comes out of the caches,
so the same model, target and limits give the same ladder and the same choice. A rung that fails seals nothing.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from edgekit import build, console, optimize
from edgekit.build import Built, Job, Options
from edgekit.bundle.manifest import Quality
from edgekit.bundle.runtime import OWN
from edgekit.data import jsonable
from edgekit.errors import BuildError, EdgekitError, NotMeasured, OverBudget, QualityError, UsageError
from edgekit.model import Kind
from edgekit.report.frontier import Point
from edgekit.target import Budget

AUTO = "auto"
BUDGET = "bundle_mb"  # what a build can tell without a device
METRIC: dict[Kind, str] = {"llm": "kl_mean", "tensor": "cosine_mean"}  # drawn against the size
Outcome = Literal["pass", "fail", "not-measured", "over-budget", "not-built"]


@dataclass(frozen=True)
class Candidate:
    """A recipe with settings of its own; a mixed recipe stands on several rungs."""

    recipe: str
    settings: tuple[tuple[str, Any], ...] = ()
    calibrated: bool = False  # needs the user's data

    @property
    def label(self) -> str:
        """As "int4_gptq_mixed keep_share=0.1"."""
        return " ".join([self.recipe, *(f"{name}={value}" for name, value in self.settings)])


CANDIDATES: dict[Kind, tuple[Candidate, ...]] = {
    "llm": (
        Candidate("int4_rtn"),
        Candidate("int4_kquant"),
        Candidate("int4_gptq_mixed", (("keep_share", 0.0),)),
        Candidate("int4_gptq_mixed", (("keep_share", 0.1),)),
        Candidate("int4_gptq_mixed", (("keep_share", 0.25),)),
        Candidate("int4_gptq_mixed", (("keep_share", 0.5),)),
        Candidate("int8_rtn"),
        Candidate("llm_float16"),
    ),
    "tensor": (Candidate("int8_qdq", calibrated=True), Candidate("int8_dynamic"), Candidate("float32")),
}


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
    limit: Budget | None
    rungs: tuple[Rung, ...]
    built: Built | None

    def rows(self) -> list[list[str]]:
        """For a table: recipe, megabytes, the metric, what came of it."""
        return [
            [
                rung.label,
                "" if rung.model_mb is None else f"{rung.model_mb:.1f}",
                f"{rung.values[self.metric]:.4g}" if self.metric in rung.values else "",
                "chosen" if rung.outcome == "pass" else f"{rung.outcome}: {rung.reason}",
            ]
            for rung in self.rungs
        ]

    def points(self) -> list[Point]:
        """For a plot: size against the metric, of the rungs that were measured."""
        return [
            Point(rung.label, rung.model_mb, rung.values[self.metric], chosen=rung.outcome == "pass")
            for rung in self.rungs
            if rung.model_mb is not None and self.metric in rung.values
        ]

    def plain(self) -> dict[str, Any]:
        """For the JSON document."""
        return {
            "model": self.model,
            "target": self.target,
            "metric": self.metric,
            "limit": jsonable(self.limit) if self.limit else None,
            "rungs": [vars(rung) for rung in self.rungs],
            "chosen": self.rungs[-1].label if self.built else None,
        }

    def error(self) -> EdgekitError | None:
        """Why there is no bundle: nothing passes, or only what is too large does not fail."""
        if self.built is not None:
            return None
        tried = ", ".join(f"{rung.label} ({rung.outcome})" for rung in self.rungs)
        if any(rung.outcome == "over-budget" for rung in self.rungs):
            return OverBudget(
                f"no recipe passes the gate within the budget of {self.model} for {self.target}: {tried}",
                next=f"raise {BUDGET}, take a smaller model, or a limit that this one can meet (--limit)",
            )
        return QualityError(
            f"no recipe passes the gate of {self.model} for {self.target}: {tried}",
            next="the last rung's reason says what is wrong with the model itself; --recipe NAME builds one of them",
        )


def climb(ref: str, target_name: str, options: Options) -> Ladder:
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
    for candidate in _candidates(job):
        console.say(f"--recipe auto: {candidate.label}")
        rung, built = _step(_with(job, candidate, options), candidate, options, limit)
        rungs.append(rung)
        console.say(f"--recipe auto: {candidate.label}: {rung.outcome}{f', {rung.reason}' if rung.reason else ''}")
        if built is not None or rung.outcome == "over-budget":  # the next is larger still
            break
    metric = METRIC[job.source.model.kind]
    return Ladder(job.source.model.name, job.target.name, metric, _line(job, metric, built), tuple(rungs), built)


def _suits(job: Job) -> None:
    settings = job.target.llm if job.source.model.kind == "llm" else job.target.tensor
    if settings.variant:
        fixed = ", ".join(dict.fromkeys(one.recipe for one in job.plan.variants))
        raise UsageError(f"{job.target.name} fixes its recipes: {fixed}", next="leave out --recipe auto")
    if job.source.model.quantized:
        raise UsageError(f"{job.source.model.name} is quantized already", next="leave out --recipe auto")


def _candidates(job: Job) -> Iterator[Candidate]:
    for candidate in CANDIDATES[job.source.model.kind]:
        if job.calibration is not None or not candidate.calibrated:
            yield candidate


def _with(job: Job, candidate: Candidate, options: Options) -> Job:
    """The same job with a candidate's recipe and settings."""
    kind = job.source.model.kind
    settings = getattr(job.target, kind).model_copy(update=dict(candidate.settings))
    target = job.target.model_copy(update={kind: settings})
    made = build.planned(job.source, target, job.calibration, replace(options, recipe=candidate.recipe))
    return replace(job, target=target, plan=made)


def _step(job: Job, candidate: Candidate, options: Options, limit: Budget) -> tuple[Rung, Built | None]:
    """Quantize one candidate, and build its bundle unless it is too large already."""
    try:
        megabytes = _quantized_mb(job)
    except BuildError as error:
        return Rung(candidate.label, "not-built", None, {}, error.message), None
    smallest = megabytes + _size_mb(OWN)
    if limit.max is not None and smallest > limit.max:
        why = f"{smallest:.1f} MB, {limit.max:g} are allowed"
        return Rung(candidate.label, "over-budget", megabytes, {}, why), None
    try:
        built = build.build(job, options)
    except (QualityError, NotMeasured) as error:
        outcome: Outcome = "fail" if isinstance(error, QualityError) else "not-measured"
        return Rung(candidate.label, outcome, megabytes, _left(job, options), error.message), None
    except BuildError as error:
        return Rung(candidate.label, "not-built", megabytes, {}, error.message), None
    return Rung(candidate.label, "pass", megabytes, _values(built.manifest.quality)), built


def _quantized_mb(job: Job) -> float:
    """Quantize, or find what was quantized; megabytes of the model's files."""
    calibrated = job.calibration is not None and job.plan.calibrated
    with tempfile.TemporaryDirectory(prefix="edgekit-calibration-") as name:
        folder = Path(name) / "feeds"
        if calibrated and job.calibration is not None:
            folder.mkdir()
            job.calibration.write_feeds(folder)
        entry = optimize.run(
            job.plan,
            job.plan.main,
            job.source.path,
            job.source.model.sha256,
            folder if calibrated else None,
            job.calibration.sha256 if calibrated and job.calibration is not None else None,
        )
    return _size_mb(entry.path / "model")


def _size_mb(folder: Path) -> float:
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6, 3)


def _budget(job: Job) -> Budget:
    """The size that the target, or the model's card, allows."""
    settings = job.target.llm if job.source.model.kind == "llm" else job.target.tensor
    card = job.source.card.budget if job.source.card else {}
    return (job.target.budget | settings.budget | card).get(BUDGET, Budget())


def _left(job: Job, options: Options) -> dict[str, float]:
    """What a failed gate measured: the report that the build left."""
    path = (options.out / job.name).absolute().with_name(f"{job.name}.quality.json")
    try:
        return _values(Quality.model_validate(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, ValidationError):
        return {}


def _values(found: Quality) -> dict[str, float]:
    return {one.metric: one.value for one in found.measurements if one.value is not None}


def _line(job: Job, metric: str, built: Built | None) -> Budget | None:
    """The gate's limit of the metric, where the last verdict has it."""
    if built is None:
        return job.limits.get(metric)
    return next((one.limit for one in built.manifest.quality.verdicts if one.metric == metric), None)
