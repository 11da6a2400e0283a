"""check(): a bundle on a device becomes a report. One straight line.

    open + verify -> identify, preconditions -> goldens -> loads -> bench -> energy
        -> measurements -> validity -> budgets

A wrong golden ends it before anything is timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit import __version__, console, metering
from edgekit.bundle.manifest import Manifest
from edgekit.bundle.runtime import foreign
from edgekit.bundle.verify import verified
from edgekit.data import digest, jsonable
from edgekit.devices import Device, Session
from edgekit.errors import BundleError, NotMeasured, OverBudget, QualityError, first
from edgekit.meters import Meter, Missing, fine_enough
from edgekit.reading import Reader
from edgekit.report import energy, metrics, summary, sustain, validity, workload
from edgekit.report.check_plan import PLAN, BenchOutcome, CheckPlan, GoldensOutcome, LoadOutcome, parse
from edgekit.report.measurement import EnergyRun, Evidence, Measurement, Report, Verdict, judge
from edgekit.report.placement import shares
from edgekit.target import Budget

LOADS = 5  # processes; the first is told apart
TIMEOUT = 3600.0  # seconds, of one action
QUICK = "quick: fewer repeats than a valid measurement needs"


@dataclass(frozen=True)
class Options:
    """What the user asked for besides bundle and device.

    Attributes:
        prompts, depths: tokens; empty: the plan's own.
        processes: how many times the bench runs, each in a process of its own.
        sustain_s: run the main workload for so long instead of the bench.
        meter: a power meter that the device does not know of.
        wait_s: a device that is too warm is given so long to cool.
    """

    budgets: Mapping[str, Budget] = field(default_factory=dict)
    strict: bool = False
    quick: bool = False
    trust: bool = False
    threads: int | None = None
    variant: str | None = None
    prompts: tuple[int, ...] = ()
    depths: tuple[int, ...] = ()
    processes: int = 1
    sustain_s: float | None = None
    meter: Meter | None = None
    wait_s: float = metering.WAIT_S


@dataclass
class Found:
    """What a check has found so far."""

    facts: dict[str, Any]
    evidence: Evidence
    goldens: GoldensOutcome
    engines: dict[str, str]
    conditions: dict[str, Any]
    loads: list[LoadOutcome] = field(default_factory=list)
    benches: list[BenchOutcome] = field(default_factory=list)
    energy: EnergyRun | None = None
    seen: metering.Seen = field(default_factory=metering.Seen)


def check(bundle: Path, device: Device, options: Options) -> Report:
    """Check one bundle on one device.

    Raises:
        BundleError: not whole, or it carries no plan.
        DeviceError, ToolMissing: as the transport raises.
        NotMeasured: --strict, and a precondition does not hold.
        UsageError: --prompts or --depths for a model that takes none.
    """
    manifest, plan = opened(bundle, options)
    with device.session(bundle, manifest, trust=options.trust) as session:
        found = begin(session, device, plan, options)
        if found.goldens.passed:
            _measure(session, device, plan, options, found)
    return _report(manifest, plan, options, found)


def opened(bundle: Path, options: Options) -> tuple[Manifest, CheckPlan]:
    """A whole bundle's manifest, and its plan as the options want it."""
    with console.step("verifying the bundle"):
        manifest = verified(bundle, allow_stripped=True)
    plan = _plan(bundle, manifest)
    if options.quick:
        plan = workload.quick(plan)
    plan = workload.asked(plan, options.prompts, options.depths)
    return manifest, workload.sustained(plan, options.sustain_s) if options.sustain_s else plan


def begin(session: Session, device: Device, plan: CheckPlan, options: Options) -> Found:
    """What the device is, whether it is ready, and its golden answers.

    Raises:
        NotMeasured: --strict, and a precondition does not hold.
    """
    facts = session.act("identify", {}, timeout=60, tell=console.tick)["device"]
    evidence = device.evidence(facts)
    conditions: dict[str, Any] = {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "run_context": "shell",
        "strict": options.strict,
        "workload": workload.words(plan),
        "threads": options.threads,
        "variant": options.variant,
        "sustain_s": options.sustain_s,
    }
    before = validity.preconditions(facts)
    if (reader := reader_of(device, evidence)) is not None and not options.quick:
        with console.step("waiting until the device is cool enough"):
            waited, hot = metering.wait_until_ready(reader, options.wait_s)
        conditions["waited_s"] = round(waited, 1)
        before = [*hot, *before]
    _precondition(conditions, before, options)
    with console.step("goldens"):
        answered = session.act("goldens", request(plan, options), timeout=TIMEOUT, tell=console.tick)
    goldens = GoldensOutcome.model_validate(answered["goldens"])
    return Found(facts, evidence, goldens, answered["engines"], conditions)


def _precondition(conditions: dict[str, Any], found: list[str], options: Options) -> None:
    """Record what should be otherwise; with --strict nothing is measured then."""
    conditions["before"] = [*conditions.get("before", ()), *found]
    for line in found:
        console.warn(line)
    if options.strict and found:
        raise NotMeasured(f"not measured: {found[0]}", next="change it, or leave out --strict")


def request(plan: CheckPlan, options: Options) -> dict[str, Any]:
    """The keys that goldens, load and bench share."""
    return {"plan": jsonable(plan), "threads": options.threads, "variant": options.variant}


def bench(
    session: Session, plan: CheckPlan, options: Options, tell: Callable[[str], None] = console.tick
) -> BenchOutcome:
    """One process of the bench."""
    limit = TIMEOUT + (plan.bench.sustain_s or 0)
    return BenchOutcome.model_validate(session.act("bench", request(plan, options), timeout=limit, tell=tell))


def _measure(session: Session, device: Device, plan: CheckPlan, options: Options, found: Found) -> None:
    reader = reader_of(device, found.evidence)
    with console.step("loading"):
        count = 2 if options.quick else max(LOADS, options.processes)
        found.loads = [_load(session, request(plan, options), cold=at == 0) for at in range(count)]
    meter = _meter(reader, options, found.evidence)
    _precondition(found.conditions, metering.unfit(meter, reader), options)
    with metering.watched(None if options.quick else reader) as found.seen:
        if options.sustain_s:
            with console.step(f"measuring for {options.sustain_s:.0f} s"):
                found.energy, outcome = _weighed(session, meter, plan, options, options.sustain_s)
            found.benches = [outcome]
        else:
            for at in range(options.processes):
                with console.step("measuring" if options.processes == 1 else f"process {at + 1}"):
                    found.benches.append(bench(session, plan, options))
    found.engines = found.benches[0].engines
    found.conditions["variant"] = found.benches[0].variant or options.variant
    if isinstance(meter, Missing):
        found.energy = energy.not_measured(energy.unit(plan), meter.reason, meter.next)
    elif not options.sustain_s:
        with console.step(f"energy ({meter.name})"):
            found.energy, _ = _weighed(session, meter, plan, options, None)


def _weighed(
    session: Session, meter: Meter | Missing, plan: CheckPlan, options: Options, run_s: float | None
) -> tuple[EnergyRun, BenchOutcome]:
    def run(seconds: float, tell: Callable[[str], None]) -> BenchOutcome:
        return bench(session, workload.sustained(plan, seconds), options, tell)

    return metering.weigh(meter, plan, run, run_s)


def _meter(reader: Reader | None, options: Options, evidence: Evidence) -> Meter | Missing:
    if options.quick:
        return Missing("quick: power was not measured")
    if reader is None:
        return Missing(f"{evidence}: its power says nothing about the device")
    return metering.choose(reader, options.meter, options.sustain_s)


def reader_of(device: Device, evidence: Evidence) -> Reader | None:
    """The device's sensors, where they are the device's own."""
    return device.reader() if evidence in ("host", "device") else None


def _load(session: Session, request: Mapping[str, Any], *, cold: bool) -> LoadOutcome:
    found = session.act("load", {**request, "evict": cold}, timeout=TIMEOUT, tell=console.tick)
    return LoadOutcome.model_validate(found)


def _plan(bundle: Path, manifest: Manifest) -> CheckPlan:
    path = bundle / PLAN
    if not path.is_file():
        raise BundleError(
            f"{manifest.name} carries no check data",
            next="build it with --calibration FOLDER, or fetch it whole if its check/ was stripped",
        )
    return parse(path.read_bytes())


def _report(manifest: Manifest, plan: CheckPlan, options: Options, found: Found) -> Report:
    measured = _measurements(manifest, options, found) if found.benches else ()
    elsewhere = foreign(manifest, found.facts.get("os"), found.facts.get("abi"))
    report = Report(
        bundle={
            "name": manifest.name,
            "sha256": manifest.sha256,
            "kind": manifest.model.kind,
            "target": manifest.target.name,
            "recipe": manifest.recipe.name,
            "model": manifest.model.name,
            "model_digest": digest([file.sha256 for file in manifest.files if file.role == "model"]),
            "quality": jsonable(manifest.quality),
            "partition": manifest.partition,
        },
        device={**found.facts, "evidence": found.evidence},
        tools={"edgekit": __version__, **found.engines},
        conditions=found.conditions,
        goldens=jsonable(found.goldens),
        measurements=measured,
        verdicts=judge_all(measured, _budgets(manifest, options, measured), found.evidence, elsewhere, found.energy),
        energy=found.energy,
        processes=summary.processes(found.benches, found.evidence),
        raw=summary.raw(found.benches, found.loads) if found.benches else {},
        exit_code=0,
    )
    wrong = failure(report)
    return report.model_copy(update={"exit_code": first([wrong.exit_code if wrong else 0])})


def _measurements(manifest: Manifest, options: Options, found: Found) -> tuple[Measurement, ...]:
    """Everything that was measured, marked invalid where the conditions were broken; they are recorded too."""
    size = sum(file.size for file in manifest.files)
    measured = list(summary.measurements(found.benches, found.loads, size, found.evidence))
    why = validity.reasons_of(found.benches, found.evidence, sustained=bool(options.sustain_s))
    found.conditions["thermal"] = found.seen.thermal
    if options.sustain_s:
        measured += sustain.measurements(found.benches[0], found.evidence)
    else:
        why += [f"throttled: {sign}" for sign in found.seen.thermal.get("why_throttled", ())]
    if options.quick:
        why.append(QUICK)
    if found.energy is not None:
        measured += energy.measurements(found.energy, found.evidence, sustained=bool(options.sustain_s))
    measured.append(summary.temperature(found.benches, found.seen.hottest_c, found.seen.sensors, found.evidence))
    measured += shares(manifest.partition, found.benches[0].variant or options.variant)
    found.conditions["invalid"] = why
    return validity.mark(measured, why)


def _budgets(manifest: Manifest, options: Options, measured: Sequence[Measurement]) -> dict[str, Budget]:
    """The manifest's budgets under the command line's; a sustained run does not judge what it does not do."""
    kept = manifest.budget
    if options.sustain_s:
        kept = {name: limit for name, limit in kept.items() if name in summary.by_metric(measured)}
    return {**kept, **options.budgets}


def judge_all(
    found: tuple[Measurement, ...],
    budgets: Mapping[str, Budget],
    evidence: Evidence,
    elsewhere: bool,
    weighed: EnergyRun | None = None,
) -> tuple[Verdict, ...]:
    """A verdict on each budget. What only a real device may claim is not measured by anything else.

    Args:
        elsewhere: the bundle is for another platform than the machine it ran on.
        weighed: what measured the energy, if anything did.
    """
    known = summary.by_metric(found)
    verdicts = []
    for metric, limit in budgets.items():
        one = known.get(metric)
        refused = _refused(metric, one, limit, evidence, elsewhere, weighed)
        if refused and one is not None:
            facts: dict[str, Any] = {"value": one.value, "limit": limit, "evidence": evidence, "reason": refused}
            verdicts.append(Verdict(metric=metric, verdict="not-measured", **facts))
        else:
            verdicts.append(judge(one, metric, limit))
    return tuple(verdicts)


def _refused(
    metric: str,
    one: Measurement | None,
    limit: Budget,
    evidence: Evidence,
    elsewhere: bool,
    weighed: EnergyRun | None,
) -> str:
    """Why a value that was measured decides nothing; empty where it may."""
    if one is None or one.value is None or not metrics.require(metric).gated_evidence:
        return ""
    if unbelieved := disbelieved(evidence, elsewhere):
        return unbelieved
    if weighed is not None and weighed.grade and metric.startswith(("power_", "energy_")):
        bounds = [bound for bound in (limit.min, limit.max) if bound is not None]
        return next(filter(None, (fine_enough(weighed.grade, one.value, bound) for bound in bounds)), "")
    return ""


def disbelieved(evidence: Evidence, elsewhere: bool) -> str:
    """Why a speed or a power that was measured here is no claim about the device; empty where it is one."""
    if evidence == "device" or (evidence == "host" and not elsewhere):
        return ""
    kind = "host of another platform" if evidence == "host" else evidence
    return f"measured, but {kind}: only the device itself may claim it"


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
