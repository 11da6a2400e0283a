"""What surrounds a run on a device: is it cool enough to begin, how warm does it get, and what does the run take.

    wait -> [watch: thermal zones and clocks] -> idle -> run -> idle

Sensors are read beside the run, never by it. A sensor that is missing makes no run fail: its figure is not measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edgekit import console, kinds, meters
from edgekit.contract.check_plan import BenchOutcome, CheckPlan
from edgekit.contract.result import Course
from edgekit.errors import EdgekitError
from edgekit.meters import Energy, Meter, Missing, thermal
from edgekit.reading import Reader
from edgekit.results.measurement import EnergyRun
from edgekit.verdicts import energy

WAIT_S = 600.0  # a device that is still hot then stays hot
LOOK_S = 10.0
SOON_S = 5.0  # between two runs, which are short
RUN_S = 30.0  # a run under a meter is at least this long
WORTH_S = 60.0  # a meter that needs longer runs is used with --sustain only

Bench = Callable[[float, Callable[[str], None]], BenchOutcome]


@dataclass
class Seen:
    """What a watch saw; filled when its block is left."""

    thermal: Course | None = None
    sensors: tuple[str, ...] = ()

    @property
    def hottest_c(self) -> float | None:
        """The highest temperature during the block."""
        values = self.thermal.hottest_c if self.thermal else ()
        return max((value for value in values if value is not None), default=None)


def wait_until_ready(reader: Reader, longest_s: float = WAIT_S) -> tuple[float, list[str]]:
    """Wait until the device is cool enough; returns the seconds it took and what is still in the way."""
    started = time.monotonic()
    while True:
        why = _not_ready(reader)
        waited = time.monotonic() - started
        if not why or waited + LOOK_S > longest_s:
            return waited, why
        console.tick(f"{why[0]}: waited {waited:.0f} s")
        time.sleep(LOOK_S)


def cooled(reader: Reader | None, most_c: float, longest_s: float) -> float | None:
    """The hottest sensor, once it shows `most_c` at most, or that did not come in time; None where none is read."""
    started = time.monotonic()
    while True:
        now = _hottest(reader)
        if now is None or now <= most_c or time.monotonic() - started > longest_s:
            return now
        time.sleep(SOON_S)


@contextmanager
def watched(reader: Reader | None) -> Iterator[Seen]:
    """Follow temperatures and clocks while the block runs; nothing is followed without a reader."""
    seen = Seen()
    watch = _begin(reader) if reader is not None else None
    yield seen
    if reader is None or watch is None:
        return
    try:
        thermals = watch.stop()
        seen.sensors = tuple(thermal.look(reader).temperatures_c)
    except EdgekitError as error:
        console.detail(f"  the temperatures were lost: {error.message}")
        return
    seen.thermal = thermals


def choose(reader: Reader, named: Meter | None, run_s: float | None) -> Meter | Missing:
    """The meter for a run of so many seconds (None: as long as it needs): the named one, else the best there is."""
    if named is not None:
        return named
    there, missing = meters.find(reader)
    fit = [meter for meter in there if (run_s is None and meter.least_s <= WORTH_S) or (run_s or 0) >= meter.least_s]
    if fit:
        return fit[0]
    if there:
        needed = there[0].least_s
        why = f"{there[0].name} needs a run of {needed:.0f} s"
        return Missing(why, f"--sustain {needed / 60:.0f}m" if needed >= 60 else f"--sustain {needed:.0f}s")
    for name, one in missing.items():
        console.detail(f"  {name}: {one.reason}")
    helped = next((one for one in missing.values() if one.next and not one.next.startswith("--meter")), None)
    return helped or Missing("no power sensor was found", "--meter csv:FILE, with a meter beside the device")


def unfit(meter: Meter | Missing, reader: Reader | None) -> list[str]:
    """Why the figure of a meter would be invalid if the run began now: a battery that is charged, for one."""
    if reader is None or isinstance(meter, Missing):
        return []
    modules = [module for module in meters.meters().values() if meter.name == module.NAME]
    return [why for module in modules if hasattr(module, "not_ready") for why in module.not_ready(reader)]


def weigh(meter: Meter | Missing, plan: CheckPlan, bench: Bench, run_s: float | None) -> tuple[EnergyRun, BenchOutcome]:
    """Run the bench for a time under a meter, idle before and after; without one, only run it.

    Args:
        bench: runs for so many seconds, telling its progress.
        run_s: seconds; None: as long as the meter needs, and not at all without one.
    """
    if isinstance(meter, Missing):
        assert run_s is not None, "nothing to run"
        return energy.not_measured(kinds.of(plan.kind).work, meter.reason, meter.next), bench(run_s, console.tick)
    seconds = run_s or max(RUN_S, meter.least_s + 5)
    before = _idle(meter)
    late_s = 0.0
    running = False

    def tell(text: str) -> None:
        """The first word comes when the load is there: loading and warming up are not weighed."""
        nonlocal late_s, running
        if not running and text.endswith(f" of {seconds:.0f} s"):
            began = time.monotonic()
            meter.start()
            late_s, running = time.monotonic() - began, True
        console.tick(text)

    outcome = bench(seconds, tell)
    if not running:
        reason = "the run was never seen to begin"
        return energy.not_measured(kinds.of(plan.kind).work, reason), outcome
    run = meter.stop()
    after = _idle(meter)
    done, busy_s = energy.work(outcome, plan, late_s)
    return _kept(run, before, after, plan, done, busy_s), outcome


def _idle(meter: Meter) -> Energy:
    with console.step(f"idle for {meter.least_s + 1:.0f} s ({meter.name})"):
        meter.start()
        time.sleep(meter.least_s + 1)
        return meter.stop()


def _kept(run: Energy, before: Energy, after: Energy, plan: CheckPlan, work: float, busy_s: float) -> EnergyRun:
    net = meters.net(run, before, after)
    missing = net.missing or Missing("")
    return EnergyRun(
        meter=run.meter,
        scope=run.scope,
        grade=run.grade,
        tolerance=run.tolerance,
        gross_j=run.joules,
        net_j=net.joules,
        seconds=busy_s,
        idle_w=tuple(one.average_w for one in (before, after) if one.average_w is not None),
        unit=kinds.of(plan.kind).work,
        work=work,
        samples=tuple((sample.at_s, sample.watts) for sample in run.samples),
        parts=run.parts,
        invalid=net.invalid,
        missing=missing.reason,
        next=missing.next,
    )


def _not_ready(reader: Reader) -> list[str]:
    try:
        return thermal.not_ready(thermal.look(reader))
    except EdgekitError as error:
        console.detail(f"  no temperature: {error.message}")
        return []


def _hottest(reader: Reader | None) -> float | None:
    if reader is None:
        return None
    try:
        return thermal.look(reader).hottest_c
    except EdgekitError as error:
        console.detail(f"  no temperature: {error.message}")
        return None


def _begin(reader: Reader) -> thermal.Watch | None:
    watch = thermal.Watch(reader)
    try:
        watch.start()
    except EdgekitError as error:
        console.detail(f"  temperatures are not followed: {error.message}")
        return None
    return watch
