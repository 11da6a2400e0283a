"""Whether a measurement may be believed: the rules of MEASURING.md, applied to what the runtime observed.

Timing is invalid when the machine was not steady, not alone, or throttled: no failure of the model, and no pass.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from edgekit.contract.check_plan import BenchOutcome, Identity, Watch
from edgekit.results import metrics as m
from edgekit.results.measurement import Evidence, Measurement

BACKGROUND_CORES = 0.10  # of one core, used by other processes
CLOCK_LOSS = 0.05
DRIFT = {"host": 0.05, "device": 0.10}  # last third against first third
START_C = 60.0  # a Linux machine should begin no hotter


def reasons(bench: BenchOutcome, evidence: Evidence, *, sustained: bool = False) -> list[str]:
    """Why the timing of this run is invalid; empty where nothing speaks against it.

    Args:
        sustained: it ran under --sustain, where throttling is what is looked for.
    """
    found = []
    warm = bench.warmup
    if warm is not None and not warm.steady:
        found.append(f"it was not steady after {warm.seconds:.0f} s of warm-up")
    others = bench.watch.other_cores_mean
    if others is not None and others > BACKGROUND_CORES:
        found.append(f"other processes used {others:.2f} of a core, {BACKGROUND_CORES:.2f} are allowed")
    if sustained:
        return found
    if (lost := _clock_loss(bench.watch)) is not None and lost > CLOCK_LOSS:
        found.append(f"throttled: the clock fell by {lost:.0%}")
    allowed = DRIFT.get(evidence, DRIFT["device"])
    for name, samples in bench.samples.items():
        slower = drift(name, samples)
        if slower is not None and slower > allowed:
            found.append(f"throttled: {name} became {slower:.0%} worse from the first third to the last")
    return found


def reasons_of(benches: Sequence[BenchOutcome], evidence: Evidence, *, sustained: bool = False) -> list[str]:
    """The reasons of all processes; with several, each says which one it is of."""
    return [
        f"process {at}: {why}" if len(benches) > 1 else why
        for at, one in enumerate(benches, 1)
        for why in reasons(one, evidence, sustained=sustained)
    ]


def preconditions(facts: Identity) -> list[str]:
    """What should be otherwise before a measurement begins; enforced by --strict, else recorded."""
    found = []
    if facts.temperature_c is not None and facts.temperature_c > START_C:
        found.append(f"the machine begins at {facts.temperature_c:.0f} C, {START_C:.0f} C are allowed")
    if facts.thermal_state not in (None, "nominal"):  # of Apple's systems, which tell apps no temperature
        found.append(f"the device's thermal state is {facts.thermal_state}")
    if facts.governor not in (None, "performance", "schedutil"):
        found.append(f"the CPU governor is {facts.governor}: clocks change during the run")
    load, cores = facts.load_1m, facts.cores
    if load is not None and cores and load > cores * 0.5:
        found.append(f"the load of the last minute was {load:.1f} on {cores} cores")
    return found


def mark(measurements: Sequence[Measurement], why: Sequence[str]) -> tuple[Measurement, ...]:
    """The measurements with every timed one marked invalid for these reasons; sizes and memory stay valid."""
    if not why:
        return tuple(measurements)
    reason = "; ".join(why)
    return tuple(
        one.model_copy(update={"valid": False, "reason": reason})
        if one.value is not None and timed(one.metric)
        else one
        for one in measurements
    )


def timed(name: str) -> bool:
    """Whether a metric means nothing where the machine was not as it should be."""
    metric = m.of(name)
    return metric is not None and metric.timed


def drift(name: str, samples: Sequence[float]) -> float | None:
    """How much worse the last third of raw samples is than the first, by medians; None for too few to tell."""
    third, metrics = len(samples) // 3, m.of_series(name)
    if third < 3 or not metrics:
        return None
    first, last = statistics.median(samples[:third]), statistics.median(samples[-third:])
    if not first or not last:
        return None
    worse = last / first if metrics[0].better == "lower" else first / last
    return worse - 1


def _clock_loss(watch: Watch) -> float | None:
    """The fall of the median clock below its first value, as a share."""
    clocks = [value for value in watch.clock_mhz if value]
    if len(clocks) < 2:
        return None
    return float(1 - statistics.median(clocks[1:]) / clocks[0])
