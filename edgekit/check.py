"""check(): a bundle on a device becomes a report. One straight line.

    open + verify -> identify, preconditions -> goldens -> loads -> bench -> measurements -> validity -> budgets

A wrong golden ends it before anything is timed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit import __version__, console
from edgekit.bundle.manifest import Manifest
from edgekit.bundle.runtime import foreign
from edgekit.bundle.verify import verified
from edgekit.data import digest, jsonable
from edgekit.devices import Device, Session
from edgekit.errors import BundleError, NotMeasured, OverBudget, QualityError, first
from edgekit.report import metrics, summary, validity
from edgekit.report.check_plan import (
    PLAN,
    BenchOutcome,
    CheckPlan,
    GoldensOutcome,
    LlmBench,
    LoadOutcome,
    Runs,
    Trials,
    WarmUp,
)
from edgekit.report.measurement import Evidence, Measurement, Report, Verdict, judge
from edgekit.target import Budget

LOADS = 5  # processes; the first is told apart
TIMEOUT = 3600.0  # seconds, of one action
QUICK = "quick: fewer repeats than a valid measurement needs"


@dataclass(frozen=True)
class Options:
    """What the user asked for besides bundle and device."""

    budgets: Mapping[str, Budget] = field(default_factory=dict)
    strict: bool = False
    quick: bool = False
    trust: bool = False
    threads: int | None = None
    variant: str | None = None


def check(bundle: Path, device: Device, options: Options) -> Report:
    """Check one bundle on one device.

    Raises:
        BundleError: not whole, or it carries no plan.
        DeviceError, ToolMissing: as the transport raises.
        NotMeasured: --strict, and a precondition does not hold.
    """
    with console.step("verifying the bundle"):
        manifest = verified(bundle, allow_stripped=True)
    plan = _plan(bundle, manifest)
    if options.quick:
        plan = quick(plan)
    with device.session(bundle, manifest, trust=options.trust) as session:
        return _measure(session, device, manifest, plan, options)


def quick(plan: CheckPlan) -> CheckPlan:
    """A plan that shows that everything works, and whose timings are marked invalid."""
    warmup = WarmUp(min_runs=1, min_s=0, window=2, max_cv=10, max_slope=10, max_s=1)
    bench = (
        plan.bench.model_copy(
            update={"warmup": warmup, "prompts": (32,), "new_tokens": 8, "trials": Trials(min=1, max=1)}
        )
        if isinstance(plan.bench, LlmBench)
        else plan.bench.model_copy(update={"warmup": warmup, "runs": Runs(min=5, min_s=0, max_s=10)})
    )
    return plan.model_copy(update={"bench": bench})


def failure(report: Report) -> QualityError | OverBudget | NotMeasured | None:
    """The error of a report that is no pass: the first of its findings in the order of the exit codes."""
    if not report.goldens["passed"]:
        what = "; ".join(report.goldens["mismatches"])
        return QualityError(
            f"the bundle answers wrongly on this device: {what}",
            next="see goldens in the result: another engine version may be to blame; then build the bundle again",
        )
    words = {one.verdict: one for one in reversed(report.verdicts)}
    if over := words.get("fail"):
        return OverBudget(
            f"{over.metric} is {over.value:g}, {over.reason}", next="try another recipe or target, or change the budget"
        )
    if missed := words.get("invalid") or words.get("not-measured"):
        return NotMeasured(f"{missed.metric} is {missed.verdict}: {missed.reason}", next="see conditions in the result")
    if not report.goldens["compared"]:
        return NotMeasured(
            "no golden output could be compared", next="build the bundle with inputs the model is sure of"
        )
    return None


def _plan(bundle: Path, manifest: Manifest) -> CheckPlan:
    path = bundle / PLAN
    if not path.is_file():
        raise BundleError(
            f"{manifest.name} carries no check data",
            next="build it with --calibration FOLDER, or fetch it whole if its check/ was stripped",
        )
    try:
        return CheckPlan.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise BundleError(
            f"{PLAN} cannot be used: {str(error).splitlines()[0]}", next="build the bundle again"
        ) from None


def _measure(session: Session, device: Device, manifest: Manifest, plan: CheckPlan, options: Options) -> Report:
    facts = session.act("identify", {}, timeout=60, tell=console.tick)["device"]
    evidence = device.evidence(facts)
    before = validity.preconditions(facts)
    for line in before:
        console.warn(line)
    if options.strict and before:
        raise NotMeasured(f"not measured: {before[0]}", next="change it, or leave out --strict")
    conditions: dict[str, Any] = {"before": before, "run_context": "shell", "strict": options.strict}
    request = {"plan": jsonable(plan), "threads": options.threads, "variant": options.variant}
    with console.step("goldens"):
        answered = session.act("goldens", request, timeout=TIMEOUT, tell=console.tick)
    goldens = GoldensOutcome.model_validate(answered["goldens"])
    if not goldens.passed:
        return _report(manifest, facts, answered["engines"], conditions, goldens, evidence, options)
    with console.step("loading"):
        loads = [_load(session, request, cold=at == 0) for at in range(2 if options.quick else LOADS)]
    with console.step("measuring"):
        bench = BenchOutcome.model_validate(session.act("bench", request, timeout=TIMEOUT, tell=console.tick))
    conditions |= {"watch": bench.watch, "warmup": bench.warmup, "memory": list(bench.memory)}
    return _report(manifest, facts, bench.engines, conditions, goldens, evidence, options, bench, loads)


def _load(session: Session, request: Mapping[str, Any], *, cold: bool) -> LoadOutcome:
    found = session.act("load", {**request, "evict": cold}, timeout=TIMEOUT, tell=console.tick)
    return LoadOutcome.model_validate(found)


def _report(
    manifest: Manifest,
    facts: Mapping[str, Any],
    engines: Mapping[str, str],
    conditions: dict[str, Any],
    goldens: GoldensOutcome,
    evidence: Evidence,
    options: Options,
    bench: BenchOutcome | None = None,
    loads: list[LoadOutcome] | None = None,
) -> Report:
    found: tuple[Measurement, ...] = ()
    if bench is not None:
        why = [*validity.reasons(bench, evidence), *([QUICK] if options.quick else [])]
        conditions["invalid"] = why
        size = sum(file.size for file in manifest.files)
        found = validity.mark(summary.measurements(bench, loads or [], size, evidence), why)
    verdicts = judge_all(
        found, {**manifest.budget, **options.budgets}, evidence, foreign(manifest, facts.get("os"), facts.get("abi"))
    )
    report = Report(
        bundle={
            "name": manifest.name,
            "sha256": manifest.sha256,
            "target": manifest.target.name,
            "recipe": manifest.recipe.name,
            "model": manifest.model.name,
            "model_digest": digest([file.sha256 for file in manifest.files if file.role == "model"]),
        },
        device={**facts, "evidence": evidence},
        tools={"edgekit": __version__, **engines},
        conditions=conditions,
        goldens=jsonable(goldens),
        measurements=found,
        verdicts=verdicts,
        raw=summary.raw(bench, loads or []) if bench is not None else {},
        exit_code=0,
    )
    wrong = failure(report)
    return report.model_copy(update={"exit_code": first([wrong.exit_code if wrong else 0])})


def judge_all(
    found: tuple[Measurement, ...], budgets: Mapping[str, Budget], evidence: Evidence, elsewhere: bool
) -> tuple[Verdict, ...]:
    """A verdict on each budget. What only a real device may claim is not measured by anything else.

    Args:
        elsewhere: the bundle is for another platform than the machine it ran on.
    """
    known = summary.by_metric(found)
    verdicts = []
    for metric, limit in budgets.items():
        one = known.get(metric)
        believed = evidence == "device" or (evidence == "host" and not elsewhere)
        if metrics.require(metric).gated_evidence and one is not None and one.value is not None and not believed:
            kind = "host of another platform" if evidence == "host" else evidence
            reason = f"measured, but {kind}: only the device itself may claim it"
            verdicts.append(
                Verdict(
                    metric=metric,
                    verdict="not-measured",
                    value=one.value,
                    limit=limit,
                    evidence=evidence,
                    reason=reason,
                )
            )
        else:
            verdicts.append(judge(one, metric, limit))
    return tuple(verdicts)
