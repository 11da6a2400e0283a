"""--sustain: the speed minute by minute, and when it fell. Throttling is the finding here and makes nothing invalid."""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections.abc import Sequence

from edgekit.contract.check_plan import BenchOutcome
from edgekit.results import metrics as m
from edgekit.results.measurement import Evidence, Measurement
from edgekit.verdicts.summary import mean, rounded
from edgekit.verdicts.validity import CLOCK_LOSS, DRIFT

SPEEDS = (m.DECODE_TPS, m.THROUGHPUT_IPS)
INITIAL_S = 30.0  # the speed that later ones are held against
WINDOW_S = 15.0  # a median over this much stands for "now": one slow answer is no throttling
HOLD_S = 60.0  # and the speed must stay low for this long
STEP_S = 1.0
MIN_LAPS = 3


def measurements(bench: BenchOutcome, evidence: Evidence) -> tuple[Measurement, ...]:
    """The speed in minute 1, 5, 10, ... (decode_tps@m5) and throttle_after_s."""
    name = next((one.name for one in SPEEDS if one.name in bench.samples), None)
    at_s = bench.watch.at_s[1:]
    if name is None or not at_s:
        return ()
    speed = bench.samples[name]
    found = []
    for minute in minutes(at_s[-1]):
        laps = [value for at, value in zip(at_s, speed, strict=True) if (minute - 1) * 60 < at <= minute * 60]
        if laps:  # an answer of a slow model may take longer than a minute
            found.append(mean(f"{name}@m{minute}", laps, evidence))
    return (*found, _throttling(name, at_s, speed, bench.watch.clock_mhz[1:], evidence))


def minutes(seconds: float) -> list[int]:
    """The minutes that are reported of a run of so many seconds: 1, 5, 10, then every ten, and the last one."""
    last = int((seconds + 1) // 60)  # a run ends some milliseconds before or after its time
    return [minute for minute in sorted({1, 5, *range(10, last, 10), last}) if 0 < minute <= last]


def onset(at_s: Sequence[float], speed: Sequence[float], allowed: float) -> tuple[float, float] | None:
    """When the speed fell for good, and by which share; None where it did not.

    The median of WINDOW_S is lower than that of the first INITIAL_S by more than `allowed`, and so is the median of the
    HOLD_S that follow.

    Args:
        at_s: seconds from the start to the end of each lap, rising.
        speed: of each lap; more is better.
    """
    first = [value for at, value in zip(at_s, speed, strict=True) if at <= INITIAL_S] or list(speed[:MIN_LAPS])
    if len(first) < MIN_LAPS:
        return None
    initial = statistics.median(first)
    looked = INITIAL_S
    for index, at in enumerate(at_s):
        if at < looked + STEP_S:
            continue
        looked = at
        now = speed[min(bisect_right(at_s, at - WINDOW_S), max(0, index + 1 - MIN_LAPS)) : index + 1]
        after = speed[index + 1 : bisect_right(at_s, at + HOLD_S)]
        if len(after) < MIN_LAPS:
            return None  # too near the end to say that it lasts
        low = (1 - allowed) * initial
        if statistics.median(now) < low and statistics.median(after) < low:
            return at - WINDOW_S / 2, 1 - statistics.median(after) / initial
    return None


def _throttling(
    name: str, at_s: Sequence[float], speed: Sequence[float], clock: Sequence[float | None], evidence: Evidence
) -> Measurement:
    allowed = DRIFT.get(evidence, DRIFT["device"])
    signs = {name: onset(at_s, speed, allowed)}
    clocks = [value for value in clock if value]
    if len(clocks) == len(at_s):
        signs["the clock"] = onset(at_s, clocks, CLOCK_LOSS)
    fallen = [(when[0], sign, when[1]) for sign, when in signs.items() if when is not None]
    if fallen:
        seconds, sign, lost = min(fallen)
        reason = f"{sign} fell by {lost:.0%} then"
    else:
        seconds, reason = at_s[-1], f"it did not throttle in {at_s[-1]:.0f} s"
    return Measurement(
        metric=m.THROTTLE_AFTER_S.name, value=rounded(seconds), evidence=evidence, n=len(at_s), reason=reason
    )
