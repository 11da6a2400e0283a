"""From the joules of a run to measurements: average power, energy of a token or an inference."""

from __future__ import annotations

from itertools import pairwise

from edgekit.contract.check_plan import BenchOutcome, CheckPlan
from edgekit.results import metrics as m
from edgekit.results.measurement import TOLERANCE, EnergyRun, EnergyUnit, Evidence, Grade, Measurement
from edgekit.verdicts.summary import rounded

PER = {"token": m.ENERGY_J_PER_TOKEN, "inference": m.ENERGY_J_PER_INFERENCE}


def work(bench: BenchOutcome, plan: CheckPlan, after_s: float) -> tuple[float, float]:
    """Tokens or inferences of a sustained run after its first seconds, and how long they took.

    A lap that was under way at `after_s` counts by the share of it that lay behind.
    """
    done = 0.0
    ends = bench.watch.at_s
    for at, (begin, end) in enumerate(pairwise(ends)):
        share = min(1.0, max(0.0, (end - after_s) / (end - begin)))
        done += share * plan.bench.work(bench.samples, at, end - begin)
    return done, ends[-1] - after_s


def measurements(run: EnergyRun, evidence: Evidence, *, sustained: bool) -> tuple[Measurement, ...]:
    """power_avg_w and the energy of one token or inference (and of 1,000 tokens); without a figure, why."""
    metrics = [m.POWER_AVG_W, PER[run.unit]]
    if sustained and run.unit == "token":
        metrics.append(m.ENERGY_J_PER_1K_TOKENS)
    if run.net_j is None or run.seconds <= 0 or run.work <= 0:
        return tuple(Measurement(metric=one.name, evidence=evidence, reason=run.missing) for one in metrics)
    values = [run.net_j / run.seconds, run.net_j / run.work, 1000 * run.net_j / run.work]
    off = f"+-{run.tolerance:.0%}" if run.tolerance is not None else "modelled"
    reason = f"{run.meter}, grade {run.grade} ({off}): {run.scope}"
    return tuple(
        Measurement(
            metric=metric.name,
            value=rounded(value),
            evidence=evidence,
            n=len(run.samples),
            valid=not run.invalid,
            reason="; ".join(run.invalid) or reason,
        )
        for metric, value in zip(metrics, values, strict=False)
    )


def not_measured(unit: EnergyUnit, reason: str, next: str = "") -> EnergyRun:
    """No figure, and why."""
    return EnergyRun(meter="", scope="", grade="", unit=unit, missing=reason, next=next)


def fine_enough(grade: Grade, value: float, limit: float) -> str:
    """Why a sensor of this grade cannot decide a budget; empty where it can.

    A limit within the sensor's tolerance of the value is finer than the sensor, and a modelled figure decides nothing.
    """
    tolerance = TOLERANCE[grade]
    if tolerance is None:
        return "a modelled figure (grade D) allows no verdict"
    if abs(value - limit) <= tolerance * abs(value):
        return f"the limit is finer than the sensor: grade {grade} may be off by {tolerance:.0%}"
    return ""
