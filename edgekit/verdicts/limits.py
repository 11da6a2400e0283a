"""What a limit says about a measurement, and who may claim one at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.results import metrics as m
from edgekit.results.measurement import EnergyRun, Evidence, Measurement, Proof, Verdict
from edgekit.results.metrics import Limit
from edgekit.verdicts import summary
from edgekit.verdicts.energy import fine_enough


def judge(measurement: Measurement | None, metric: str, limit: Limit) -> Verdict:
    """A limit applied to a measurement. Not measured is never a pass; an invalid measurement is no verdict on speed."""
    if measurement is None or measurement.value is None:
        reason = measurement.reason if measurement else "nothing measured it"
        return Verdict(metric=metric, verdict="not-measured", limit=limit, reason=reason)
    facts: dict[str, Any] = {
        "metric": metric,
        "value": measurement.value,
        "limit": limit,
        "evidence": measurement.evidence,
    }
    if not measurement.valid:
        return Verdict(verdict="invalid", reason=measurement.reason, **facts)
    if limit.min is not None and measurement.value < limit.min:
        return Verdict(verdict="fail", reason=f"below the limit of {limit.min:g}", **facts)
    if limit.max is not None and measurement.value > limit.max:
        return Verdict(verdict="fail", reason=f"above the limit of {limit.max:g}", **facts)
    return Verdict(verdict="pass", **facts)


def judge_all(
    found: tuple[Measurement, ...],
    budgets: Mapping[str, Limit],
    evidence: Evidence,
    elsewhere: bool,
    weighed: EnergyRun | None = None,
) -> tuple[Verdict, ...]:
    """A verdict on each budget. What only a real device may claim is not measured by anything else.

    Args:
        elsewhere: the bundle is for another platform than the machine it ran on.
        weighed: what measured the energy, if anything did.
    """
    known, verdicts = summary.by_metric(found), []
    for metric, limit in budgets.items():
        verdict = judge(known.get(metric), metric, limit)
        if verdict.value is not None and (why := _refused(verdict, evidence, elsewhere, weighed)):
            verdict = verdict.model_copy(update={"verdict": "not-measured", "evidence": evidence, "reason": why})
        verdicts.append(verdict)
    return tuple(verdicts)


def _refused(verdict: Verdict, evidence: Evidence, elsewhere: bool, weighed: EnergyRun | None) -> str:
    """Why a value that was measured decides nothing; empty where it may."""
    known = m.of(verdict.metric)
    if known is not None and known.claim == "any":
        return ""
    if unbelieved := disbelieved(evidence, elsewhere):
        return unbelieved
    if weighed is not None and weighed.grade and known is not None and known.group == "energy":
        bounds = [bound for bound in (verdict.limit.min, verdict.limit.max) if bound is not None]
        assert verdict.value is not None
        return next(filter(None, (fine_enough(weighed.grade, verdict.value, bound) for bound in bounds)), "")
    return ""


def disbelieved(evidence: Evidence, elsewhere: bool) -> str:
    """Why a speed or a power that was measured here is no claim about the device; empty where it is one."""
    if evidence == "device" or (evidence == "host" and not elsewhere):
        return ""
    kind = "host of another platform" if evidence == "host" else evidence
    return f"measured, but {kind}: only the device itself may claim it"


def proof(passed: bool, evidence: Evidence, elsewhere: bool) -> Proof:
    """What is shown of a model on a target: `works` where a run passed on the target itself.

    `ran on CPU`: a CPU stood in for it, as an emulator or a simulator of an accelerator is one too. `built`: no run
    passed, or there was none. Neither counts as works.
    """
    if not passed:
        return "built"
    return "ran on CPU" if disbelieved(evidence, elsewhere) else "works"
