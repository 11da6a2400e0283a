"""From the joules of a run to measurements: average power, energy of a token or an inference."""

from __future__ import annotations

from itertools import pairwise

from edgekit.report.check_plan import BenchOutcome, CheckPlan
from edgekit.report.measurement import EnergyRun, EnergyUnit, Evidence, Measurement
from edgekit.report.summary import rounded


def unit(plan: CheckPlan) -> EnergyUnit:
    """What energy is counted by."""
    return "token" if plan.kind == "llm" else "inference"


def work(bench: BenchOutcome, plan: CheckPlan, after_s: float) -> tuple[float, float]:
    """Tokens or inferences of a sustained run after its first seconds, and how long they took.

    A lap that was under way at `after_s` counts by the share of it that lay behind.
    """
    done = 0.0
    ends = bench.watch["at_s"]
    for at, (begin, end) in enumerate(pairwise(ends)):
        share = min(1.0, max(0.0, (end - after_s) / (end - begin)))
        if plan.bench.kind == "llm":
            done += share * plan.bench.new_tokens
        else:
            done += share * bench.samples["throughput_ips"][at] * (end - begin)
    return done, ends[-1] - after_s


def measurements(run: EnergyRun, evidence: Evidence, *, sustained: bool) -> tuple[Measurement, ...]:
    """power_avg_w and the energy of one token or inference (and of 1,000 tokens); without a figure, why."""
    names = ["power_avg_w", f"energy_j_per_{run.unit}"]
    if sustained and run.unit == "token":
        names.append("energy_j_per_1k_tokens")
    if run.net_j is None or run.seconds <= 0 or run.work <= 0:
        return tuple(Measurement(metric=name, evidence=evidence, reason=run.missing) for name in names)
    values = [run.net_j / run.seconds, run.net_j / run.work, 1000 * run.net_j / run.work]
    off = f"+-{run.tolerance:.0%}" if run.tolerance is not None else "modelled"
    reason = f"{run.meter}, grade {run.grade} ({off}): {run.scope}"
    return tuple(
        Measurement(
            metric=name,
            value=rounded(value),
            evidence=evidence,
            n=len(run.samples),
            valid=not run.invalid,
            reason="; ".join(run.invalid) or reason,
        )
        for name, value in zip(names, values, strict=False)
    )


def not_measured(unit: EnergyUnit, reason: str, next: str = "") -> EnergyRun:
    """No figure, and why."""
    return EnergyRun(meter="", scope="", grade="", unit=unit, missing=reason, next=next)
