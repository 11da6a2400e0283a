"""What a result holds over time and over runs, ready to be drawn."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.contract.result import Report
from edgekit.results import metrics as m
from edgekit.results.metrics import Metric

BINS = 80  # of a tensor model's inferences: so many points make a line
GAP_S = 1.0  # between two processes


@dataclass(frozen=True)
class Curve:
    """One quantity over time: seconds and values, and where a new process begins."""

    name: str
    unit: str
    at_s: list[float]
    values: list[float]


@dataclass(frozen=True)
class Course:
    """The curves that share one time axis.

    Attributes:
        speed: tokens or inferences a second.
        others: temperature, clock, load by other processes; only those that were read.
        starts_s: where each process begins.
    """

    speed: Curve
    others: list[Curve]
    starts_s: list[float]
    seconds: float


def by_process(report: Report, name: str) -> list[list[float]]:
    """A raw series, cut into its processes."""
    samples = report.raw.get(name, [])
    ends = list(itertools.accumulate(process.counts.get(name, 0) for process in report.processes))
    return [
        samples[end - process.counts.get(name, 0) : end] for end, process in zip(ends, report.processes, strict=True)
    ]


def course(report: Report) -> Course | None:
    """How a bench went; None where no speed was measured."""
    latency = m.LATENCY_P50_MS.series
    series = (m.DECODE_TPS.name, m.THROUGHPUT_IPS.name, latency)
    name = next((name for name in series if report.raw.get(name)), None)
    if name is None or not report.processes:
        return None
    offset, starts = 0.0, []
    speed: list[tuple[float, float]] = []
    others: dict[str, list[tuple[float, float]]] = {"temperature_c": [], "clock_mhz": [], "other_cores": []}
    for process, samples in zip(report.processes, by_process(report, name), strict=True):
        starts.append(offset)
        laps = process.watch.at_s
        points = _rates(samples) if name == latency else list(zip(laps[1:], samples, strict=False))
        speed += [(offset + at, value) for at, value in points]
        for key, found in others.items():
            values = getattr(process.watch, key)
            times = laps[len(laps) - len(values) :]  # the load has no value at the start
            found += [(offset + at, value) for at, value in zip(times, values, strict=False) if value is not None]
        offset += (laps[-1] if laps else sum(samples) / 1000) + GAP_S
    if not speed:
        return None
    unit = (m.of(name) or m.THROUGHPUT_IPS).unit
    shown = "speed" if name == latency else name
    units = {"temperature_c": "C", "clock_mhz": "MHz", "other_cores": "cores"}
    named = {"temperature_c": "temperature", "clock_mhz": "clock", "other_cores": "load by others"}
    curves = [_curve(named[key], units[key], points) for key, points in others.items() if points]
    return Course(_curve(shown, unit, speed), curves, starts, offset - GAP_S)


def workloads(report: Report, metric: Metric, letters: str) -> list[tuple[int, float, float | None, float | None]]:
    """Tokens, value and interval of a metric over a grid: of TTFT_MS at "pp", of DECODE_TPS at "d"."""
    found = []
    for one in report.measurements:
        name, _, workload = one.metric.partition("@")
        count = workload.removeprefix(letters)
        if name == metric.name and workload.startswith(letters) and count.isdigit() and one.value is not None:
            found.append((int(count), one.value, one.low, one.high))
    return sorted(found)


def _curve(name: str, unit: str, points: Sequence[tuple[float, float]]) -> Curve:
    return Curve(name, unit, [at for at, _ in points], [value for _, value in points])


def _rates(latency_ms: Sequence[float]) -> list[tuple[float, float]]:
    """Inferences a second over time, from how long each took."""
    ends = [total / 1000 for total in itertools.accumulate(latency_ms)]
    size = max(1, len(ends) // BINS)
    found = []
    for first in range(0, len(ends) - size + 1, size):
        begin = ends[first - 1] if first else 0.0
        end = ends[first + size - 1]
        if end > begin:
            found.append(((begin + end) / 2, size / (end - begin)))
    return found
