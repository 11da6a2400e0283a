"""From readings to joules: what meters share. Numbers and rules are MEASURING.md's."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from edgekit.reading import Poll, Reader, Reading, Source
from edgekit.results.measurement import TOLERANCE, Grade

IDLE_APART = 0.10  # idle power before and after a run may differ by this share
MOST_W = 1000.0  # more than any machine here takes: bounds how fast a counter can wrap
MOST_GAPS = 0.10  # share of readings of a power sensor that may fail


@dataclass(frozen=True)
class PowerSample:
    """Power at one moment of a run.

    Attributes:
        at_s: since the first sample.
        watts: from a counter the mean since the sample before, from a power sensor the value itself.
    """

    at_s: float
    watts: float


@dataclass(frozen=True)
class Missing:
    """Why there is no figure, in one line, and the line that helps; empty where nothing does."""

    reason: str
    next: str = ""


@dataclass(frozen=True)
class Energy:
    """What a meter found between start and stop.

    Attributes:
        meter: the sensor's name.
        scope: what its figure covers.
        joules: None where nothing was measured; `missing` says why.
        samples: power over time.
        parts: joules by rail or domain, where the sensor tells them apart.
        invalid: the conditions that were broken, in words.
    """

    meter: str
    scope: str
    grade: Grade
    joules: float | None
    seconds: float
    samples: tuple[PowerSample, ...] = ()
    parts: dict[str, float] = field(default_factory=dict)
    invalid: tuple[str, ...] = ()
    missing: Missing | None = None

    @property
    def state(self) -> Literal["measured", "not-measured", "invalid"]:
        """See the package's docstring."""
        if self.joules is None:
            return "not-measured"
        return "invalid" if self.invalid else "measured"

    @property
    def average_w(self) -> float | None:
        """Mean power over the run."""
        return self.joules / self.seconds if self.joules is not None and self.seconds > 0 else None

    @property
    def tolerance(self) -> float | None:
        """The share by which the figure may be off; None for a modelled one, which allows no verdict."""
        return TOLERANCE[self.grade]


class Meter(Protocol):
    """One sensor of one machine.

    Attributes:
        least_s: a shorter run is invalid.
    """

    name: str
    scope: str
    grade: Grade
    least_s: float

    def start(self) -> None:
        """Take the first reading; others follow until `stop`."""

    def stop(self) -> Energy:
        """Take the last reading and add up.

        Raises:
            DeviceError: the device went away.
        """


@dataclass
class Polled:
    """A meter that reads the same sources again and again.

    Attributes:
        add_up: readings -> energy.
    """

    name: str
    scope: str
    grade: Grade
    least_s: float
    reader: Reader
    sources: Sequence[Source]
    period_s: float
    add_up: Callable[[list[Reading]], Energy]
    _poll: Poll | None = None

    def start(self) -> None:
        """See Meter.start."""
        self._poll = self.reader.poll(self.sources, self.period_s)

    def stop(self) -> Energy:
        """See Meter.stop."""
        assert self._poll is not None, "stop without start"
        readings = self._poll.stop()
        self._poll = None
        return long_enough(self.add_up(readings), self.least_s)


def long_enough(energy: Energy, least_s: float) -> Energy:
    """The energy, invalid where it was measured for too short a time for its sensor."""
    if energy.joules is None or energy.seconds >= least_s:
        return energy
    why = f"{energy.meter} needs {least_s:.0f} s, the run had {energy.seconds:.1f} s"
    return replace(energy, invalid=(*energy.invalid, why))


def not_measured(like: Energy, reason: str, next: str = "") -> Energy:
    """The energy without joules."""
    return replace(like, joules=None, samples=(), parts={}, missing=Missing(reason, next))


def count(series: Sequence[tuple[float, float | None]], *, unit_j: float, wraps_at: float | None) -> Count | Missing:
    """The energy of a counter that only grows, or wraps to 0.

    Args:
        series: seconds and the counter's value; None where it could not be read.
        unit_j: joules of one count.
        wraps_at: the counts after which it begins again at 0; None where it never does.
    """
    if not series or series[0][1] is None:
        return Missing("the counter could not be read when the run began")
    if series[-1][1] is None:
        read = [at for at, value in series if value is not None]
        return Missing(f"the counter vanished {read[-1] - series[0][0]:.0f} s after the run began")
    whole = [(at, value) for at, value in series if value is not None]
    total, doubt = 0.0, False
    samples = [PowerSample(0.0, 0.0)]
    for (before_s, before), (at_s, value) in itertools.pairwise(whole):
        step = value - before
        if step < 0:
            if wraps_at is None:
                return Missing("the counter went back, which it never should")
            step += wraps_at
        seconds = at_s - before_s
        doubt = doubt or (wraps_at is not None and seconds * MOST_W > wraps_at * unit_j)
        total += step * unit_j
        samples.append(PowerSample(at_s - whole[0][0], step * unit_j / seconds if seconds > 0 else 0.0))
    samples[0] = PowerSample(0.0, samples[1].watts if len(samples) > 1 else 0.0)
    return Count(total, whole[-1][0] - whole[0][0], tuple(samples), doubt)


@dataclass(frozen=True)
class Count:
    """Energy by a counter, or by integration; `doubt`: the counter may have wrapped twice between two readings."""

    joules: float
    seconds: float
    samples: tuple[PowerSample, ...]
    doubt: bool = False


def integrate(series: Sequence[tuple[float, float | None]]) -> Count | Missing:
    """The energy under a series of seconds and watts, by trapezia; a few readings may have failed (None)."""
    whole = [(at, watts) for at, watts in series if watts is not None]
    if not whole:
        return Missing("the sensor could not be read")
    if series[-1][1] is None:
        return Missing(f"the sensor vanished {whole[-1][0] - series[0][0]:.0f} s after the run began")
    failed = len(series) - len(whole)
    if failed > MOST_GAPS * len(series):
        return Missing(f"{failed} of {len(series)} readings of the sensor failed")
    joules = sum(
        (after - before) * (first + second) / 2 for (before, first), (after, second) in itertools.pairwise(whole)
    )
    start = whole[0][0]
    return Count(joules, whole[-1][0] - start, tuple(PowerSample(at - start, watts) for at, watts in whole))


def add(counts: Iterable[Count]) -> Count:
    """Several counters that were read at the same moments, as one. A moment at which one of them failed is left out."""
    every = list(counts)
    by_time = [{sample.at_s: sample.watts for sample in one.samples} for one in every]
    shared = [at for at in by_time[0] if all(at in times for times in by_time)]
    samples = tuple(PowerSample(at, sum(times[at] for times in by_time)) for at in shared)
    seconds = max(one.seconds for one in every)
    return Count(sum(one.joules for one in every), seconds, samples, any(one.doubt for one in every))


def net(run: Energy, before: Energy, after: Energy) -> Energy:
    """The energy above idle, with idle measured before and after the run by the same meter.

    It is invalid where a part is, or where idle before and after differ by more than IDLE_APART.
    """
    parts = (run, before, after)
    gone = next((one for one in parts if one.joules is None), None)
    if run.joules is None or gone is not None:
        assert gone is not None and gone.missing is not None
        return not_measured(run, gone.missing.reason, gone.missing.next)
    idle = [one.average_w or 0.0 for one in (before, after)]
    invalid = [why for one in parts for why in one.invalid]
    if abs(idle[0] - idle[1]) > IDLE_APART * max(idle):
        invalid.append(f"idle took {idle[0]:.3g} W before and {idle[1]:.3g} W after the run: more than 10 % apart")
    level = sum(idle) / 2
    return replace(
        run,
        joules=run.joules - level * run.seconds,
        samples=tuple(PowerSample(one.at_s, one.watts - level) for one in run.samples),
        parts={},
        invalid=tuple(dict.fromkeys(invalid)),
    )
