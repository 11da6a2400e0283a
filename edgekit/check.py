"""check(): a bundle on a device becomes a report. One straight line.

    open + verify -> identify, preconditions -> goldens -> loads -> bench -> energy
        -> measurements -> validity -> budgets

A wrong golden ends it before anything is timed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit import __version__, console, kinds, metering
from edgekit.bundle.runtime import foreign
from edgekit.bundle.verify import verified
from edgekit.contract import check_plan
from edgekit.contract.check_plan import BenchOutcome, CheckPlan, GoldensAnswer, GoldensOutcome, Identity, LoadOutcome
from edgekit.contract.manifest import Manifest
from edgekit.contract.result import BundleFacts, CheckedBundle, Conditions, DeviceFacts, Report
from edgekit.data import digest, jsonable
from edgekit.devices import Device, Session
from edgekit.devices._answers import read
from edgekit.errors import BundleError, NotMeasured, OverBudget, QualityError, UsageError, first
from edgekit.kinds import Bench
from edgekit.meters import Meter, Missing
from edgekit.reading import Reader
from edgekit.results import metrics as m
from edgekit.results.measurement import EnergyRun, Evidence, Measurement
from edgekit.results.metrics import Limit
from edgekit.verdicts import energy, limits, summary, sustain, validity
from edgekit.wrappers.python import npz

LOADS = 5  # processes; the first is told apart
TIMEOUT = 3600.0  # seconds, of one action
QUICK = "quick: fewer repeats than a valid measurement needs"
NO_GOLDENS = "no answer is held against a golden, shapes alone: every output depends on random numbers"


@dataclass(frozen=True)
class Options:
    """What the user asked for besides bundle and device.

    Attributes:
        prompts, depths: tokens; empty: the plan's own.
        processes: how many times the bench runs, each in a process of its own.
        sustain_s: run the main workload for so long instead of the bench.
        meter: a power meter that the device does not know of.
        wait_s: a device that is too warm is given so long to cool.
        goldens_only: nothing is timed, and no budget is judged.
        target_budgets: the bundle's own budgets are judged too.
    """

    budgets: Mapping[str, Limit] = field(default_factory=dict)
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
    goldens_only: bool = False
    target_budgets: bool = True


@dataclass
class Found:
    """What a check has found so far."""

    facts: Identity
    evidence: Evidence
    goldens: GoldensOutcome
    engines: dict[str, str]
    conditions: Conditions
    loads: list[LoadOutcome] = field(default_factory=list)
    benches: list[BenchOutcome] = field(default_factory=list)
    energy: EnergyRun | None = None
    seen: metering.Seen = field(default_factory=metering.Seen)


def check(bundle: Path, device: Device, options: Options) -> Report:
    """Check one bundle on one device.

    Raises:
        BundleError: not whole, it carries no plan, or a budget on a metric that there is not.
        DeviceError, ToolMissing: as the transport raises.
        NotMeasured: --strict, and a precondition does not hold.
        UsageError: --prompts or --depths for a model that takes none.
    """
    manifest, plan = opened(bundle, options)
    with device.session(bundle, manifest, trust=options.trust) as session:
        answers = begin(session, device, plan, options)
        if _without_goldens(bundle, plan):
            answers.conditions = _precondition(answers.conditions, [NO_GOLDENS], options)
        if answers.goldens.passed and not options.goldens_only:
            _measure(session, device, plan, options, answers)
    return _report(manifest, plan, options, answers)


def opened(bundle: Path, options: Options) -> tuple[Manifest, CheckPlan]:
    """A whole bundle's manifest, and its plan as the options want it."""
    with console.step("verifying the bundle"):
        manifest = verified(bundle, allow_stripped=True, trust=options.trust)
    plan = _plan(bundle, manifest)
    try:
        m.checked(manifest.budget, by="check", kind=plan.kind)
    except m.LimitError as error:
        raise BundleError(f"the budget in {manifest.name} cannot be judged: {error}", next=error.next) from None
    m.usable(options.budgets, by="check", kind=plan.kind)
    _measurable(options, plan.bench.asked(options.prompts, options.depths))
    wanted = (plan.bench.quick() if options.quick else plan.bench).asked(options.prompts, options.depths)
    return manifest, plan.running(wanted.sustained(options.sustain_s) if options.sustain_s else wanted)


def _measurable(options: Options, bench: Bench) -> None:
    """Refuse a budget of the command line on a length of prompt or context that nothing would be measured at."""
    for name in options.budgets if not options.sustain_s else ():
        place = name.partition("@")[2]
        if re.fullmatch("(pp|d)[0-9]+", place) and place not in bench.words().split():
            lacking = f"nothing measures {name} here: the workload is {bench.words()}"
            raise UsageError(lacking, next="ask for that length with --prompts or --depths, or limit another")


def begin(session: Session, device: Device, plan: CheckPlan, options: Options) -> Found:
    """What the device is, whether it is ready, and its golden answers.

    Raises:
        NotMeasured: --strict, and a precondition does not hold.
    """
    told: Any = session.act("identify", {}, timeout=60, tell=console.tick).get("device")
    facts = read(Identity, told, "identify", extra="ignore")
    evidence = device.evidence(told)
    conditions = Conditions(
        started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        run_context="shell",
        runtime=session.runtime,
        strict=options.strict,
        workload=plan.bench.words(),
        threads=options.threads,
        variant=options.variant,
        sustain_s=options.sustain_s,
    )
    before = validity.preconditions(facts)
    untimed = options.quick or options.goldens_only
    if (reader := reader_of(device, evidence)) is not None and not untimed:
        with console.step("waiting until the device is cool enough"):
            waited, hot = metering.wait_until_ready(reader, options.wait_s)
        conditions = conditions.model_copy(update={"waited_s": round(waited, 1)})
        before = [*hot, *before]
    conditions = _precondition(conditions, before, options)
    with console.step("goldens"):
        answered = session.act("goldens", request(plan, options), timeout=TIMEOUT, tell=console.tick)
    answer = read(GoldensAnswer, answered, "goldens", extra="ignore")
    return Found(facts, evidence, answer.goldens, answer.engines, conditions)


def _without_goldens(bundle: Path, plan: CheckPlan) -> bool:
    """Whether the goldens hold the shapes of outputs alone, as every output depends on random numbers."""
    parts = {key.partition(".")[0] for key in npz.read(bundle / plan.goldens.file)}
    return "shape" in parts and not any(part.isdigit() for part in parts)


def _precondition(conditions: Conditions, faults: list[str], options: Options) -> Conditions:
    """The conditions with what should be otherwise; with --strict nothing is measured then."""
    for line in faults:
        console.warn(line)
    if options.strict and faults:
        raise NotMeasured(f"not measured: {faults[0]}", next="change it, or leave out --strict")
    return conditions.model_copy(update={"before": (*conditions.before, *faults)})


def request(plan: CheckPlan, options: Options) -> dict[str, Any]:
    """The keys that goldens, load and bench share."""
    return {"plan": jsonable(plan), "threads": options.threads, "variant": options.variant}


def bench(
    session: Session, plan: CheckPlan, options: Options, tell: Callable[[str], None] = console.tick
) -> BenchOutcome:
    """One process of the bench."""
    limit = TIMEOUT + (plan.bench.sustain_s or 0)
    return read(BenchOutcome, session.act("bench", request(plan, options), timeout=limit, tell=tell), "bench")


def _measure(session: Session, device: Device, plan: CheckPlan, options: Options, found: Found) -> None:
    reader = reader_of(device, found.evidence)
    with console.step("loading"):
        count = 2 if options.quick else max(LOADS, options.processes)
        found.loads = [_load(session, request(plan, options), cold=at == 0) for at in range(count)]
    meter = _meter(reader, options, found.evidence)
    found.conditions = _precondition(found.conditions, metering.unfit(meter, reader), options)
    with metering.watched(None if options.quick else reader) as found.seen:
        if options.sustain_s:
            with console.step(f"measuring for {options.sustain_s:.0f} s", options.sustain_s):
                found.energy, outcome = _weighed(session, meter, plan, options, options.sustain_s)
            found.benches = [outcome]
        else:
            for at in range(options.processes):
                several = f"process {at + 1} of {options.processes}"
                with console.step(several if options.processes > 1 else "measuring"):
                    found.benches.append(bench(session, plan, options))
    found.engines = found.benches[0].engines
    variant = found.benches[0].variant or options.variant
    found.conditions = found.conditions.model_copy(update={"variant": variant})
    if isinstance(meter, Missing):
        found.energy = energy.not_measured(kinds.of(plan.kind).work, meter.reason, meter.next)
    elif not options.sustain_s:
        with console.step(f"energy ({meter.name})"):
            found.energy, _ = _weighed(session, meter, plan, options, None)


def _weighed(
    session: Session, meter: Meter | Missing, plan: CheckPlan, options: Options, run_s: float | None
) -> tuple[EnergyRun, BenchOutcome]:
    def run(seconds: float, tell: Callable[[str], None]) -> BenchOutcome:
        return bench(session, plan.running(plan.bench.sustained(seconds)), options, tell)

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
    answered = session.act("load", {**request, "evict": cold}, timeout=TIMEOUT, tell=console.tick)
    return read(LoadOutcome, answered, "load")


def _plan(bundle: Path, manifest: Manifest) -> CheckPlan:
    path = bundle / check_plan.PLAN
    if not path.is_file():
        raise BundleError(
            f"{manifest.name} carries no check data",
            next="build it with --calibration FOLDER, or fetch it whole if its check/ was stripped",
        )
    return check_plan.parse(path.read_bytes())


def _report(manifest: Manifest, plan: CheckPlan, options: Options, found: Found) -> Report:
    measured = _measurements(manifest, options, found) if found.benches else ()
    elsewhere = foreign(manifest, found.facts.os, found.facts.abi)
    budgets = _budgets(manifest, options, measured)
    goldens, evidence = found.goldens, found.evidence
    report = Report(
        bundle=CheckedBundle(
            **dict(bundle_facts(manifest)),
            model_digest=digest([file.sha256 for file in manifest.files if file.role == "model"]),
            quality=manifest.judged,
            partition=manifest.partition,
        ),
        device=DeviceFacts(**dict(found.facts), evidence=evidence),
        tools={"edgekit": __version__, **found.engines},
        conditions=found.conditions,
        goldens=goldens,
        proof=limits.proof(goldens.passed and bool(goldens.compared), evidence, elsewhere),
        measurements=measured,
        verdicts=limits.judge_all(measured, budgets, evidence, elsewhere, found.energy),
        energy=found.energy,
        processes=summary.processes(found.benches, found.evidence),
        raw=summary.raw(found.benches, found.loads) if found.benches else {},
        exit_code=0,
    )
    wrong = failure(report)
    return report.model_copy(update={"exit_code": first([wrong.exit_code if wrong else 0])})


def bundle_facts(manifest: Manifest) -> BundleFacts:
    """Which bundle a result is of."""
    return BundleFacts(
        name=manifest.name,
        sha256=manifest.sha256,
        kind=manifest.model.kind,
        model=manifest.model.name,
        target=manifest.target.name,
        recipe=manifest.recipe.name,
    )


def _measurements(manifest: Manifest, options: Options, found: Found) -> tuple[Measurement, ...]:
    """Everything that was measured, marked invalid where the conditions were broken; they are recorded too."""
    size = sum(file.size for file in manifest.files)
    measured = list(summary.measurements(found.benches, found.loads, size, found.evidence))
    why = validity.reasons_of(found.benches, found.evidence, sustained=bool(options.sustain_s))
    if options.sustain_s:
        measured += sustain.measurements(found.benches[0], found.evidence)
    else:
        why += [f"throttled: {sign}" for sign in (found.seen.thermal.why_throttled if found.seen.thermal else ())]
    if options.quick:
        why.append(QUICK)
    if found.energy is not None:
        measured += energy.measurements(found.energy, found.evidence, sustained=bool(options.sustain_s))
    measured.append(summary.temperature(found.benches, found.seen.hottest_c, found.seen.sensors, found.evidence))
    measured += summary.shares(manifest.partition, found.benches[0].variant or options.variant)
    found.conditions = found.conditions.model_copy(update={"thermal": found.seen.thermal, "invalid": tuple(why)})
    return validity.mark(measured, why)


def _budgets(manifest: Manifest, options: Options, measured: Sequence[Measurement]) -> dict[str, Limit]:
    """The manifest's budgets under the command line's; a sustained run does not judge what it does not do."""
    kept = manifest.budget if options.target_budgets and not options.goldens_only else {}
    if options.sustain_s:
        kept = {name: limit for name, limit in kept.items() if name in summary.by_metric(measured)}
    return {**kept, **options.budgets}


def failure(report: Report) -> QualityError | OverBudget | NotMeasured | None:
    """The error of a report that is no pass: the first of its findings in the order of the exit codes."""
    if not report.goldens.passed:
        what = "; ".join(report.goldens.mismatches)
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
    if not report.goldens.compared and NO_GOLDENS not in report.conditions.before:
        return NotMeasured(
            "no golden output could be compared", next="build the bundle with inputs the model is sure of"
        )
    return None
