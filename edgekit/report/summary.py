"""Raw samples become measurements: means, percentiles, confidence intervals.

With one process an interval is over its trials. With several the process is the unit: a value is the mean of what each
of them found, its interval is Student's t over them (two processes differ by more than two trials of one).
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

from edgekit.report.check_plan import BenchOutcome, LoadOutcome
from edgekit.report.measurement import Evidence, Measurement, Process

MIN_P99 = 1000  # samples; below, the 99th percentile is one of the last few and says little
MIN_P90 = 20
PEAKS = ("peak_footprint_mb", "peak_rss_mb")
# Student's t for a two-sided 95 % interval by degrees of freedom (Abramowitz and Stegun, table 26.10).
_T95 = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26, 10: 2.23, 12: 2.18}
_T95 |= {15: 2.13, 20: 2.09, 30: 2.04, 60: 2.0}


def measurements(
    benches: Sequence[BenchOutcome], loads: Sequence[LoadOutcome], bundle_bytes: int, evidence: Evidence
) -> tuple[Measurement, ...]:
    """Every metric of a check, those that could not be measured with their reason. Units are in the names.

    Args:
        benches: one for each process, at least one.
    """
    own = [by_metric(of_process(bench, evidence)) for bench in benches]
    pooled = of_process(together(benches), evidence) if len(benches) > 1 else list(own[0].values())
    found = [*_loads(loads, evidence), *(_between(one, own) for one in pooled)]
    found.append(Measurement(metric="bundle_mb", value=rounded(bundle_bytes / 1e6), evidence="static", n=1))
    return tuple(found)


def of_process(bench: BenchOutcome, evidence: Evidence) -> list[Measurement]:
    """What one process measured."""
    found = []
    for name, samples in bench.samples.items():
        found += _series(name, samples, evidence)
    if "throughput_ips" in bench.samples:  # latencies of a sustained run are medians of a second
        found = [one for one in found if one.metric not in ("latency_p90_ms", "latency_p99_ms")]
    for workload, reason in bench.skipped.items():
        metrics = ("decode_tps",) if workload.startswith("d") else ("ttft_ms", "prefill_tps")
        found += [Measurement(metric=f"{metric}@{workload}", evidence=evidence, reason=reason) for metric in metrics]
    phases = [phase["mb"] for phase in bench.memory if phase.get("mb") is not None]
    found.append(_one("peak_footprint_mb", max(phases, default=None), evidence, "this system does not tell PSS"))
    found.append(_one("peak_rss_mb", bench.peak_rss_mb, evidence, "this system does not tell the peak"))
    return found


def processes(benches: Sequence[BenchOutcome], evidence: Evidence) -> tuple[Process, ...]:
    """Each process by itself: the units of a baseline."""
    return tuple(
        Process(
            values={one.metric: one.value for one in of_process(bench, evidence) if one.value is not None},
            counts={name: len(samples) for name, samples in bench.samples.items()},
            trials=bench.trials,
            warmup=bench.warmup,
            watch=bench.watch,
            memory=bench.memory,
        )
        for bench in benches
    )


def temperature(
    benches: Sequence[BenchOutcome], watched_c: float | None, sensors: Sequence[str], evidence: Evidence
) -> Measurement:
    """The highest temperature that the runtime or the watch beside it saw, with the sensors that were looked at."""
    known = [value for bench in benches for value in bench.watch.get("temperature_c", ()) if value is not None]
    known += [watched_c] if watched_c is not None else []
    one = _one("temperature_max_c", max(known, default=None), evidence, "no temperature sensor can be read here")
    named = f"the hottest of {', '.join(sensors)}" if sensors else "the hottest thermal zone"
    return one if one.value is None else one.model_copy(update={"n": len(known), "reason": named})


def together(benches: Sequence[BenchOutcome]) -> BenchOutcome:
    """The samples of several processes as if they were one's."""
    rss = [bench.peak_rss_mb for bench in benches if bench.peak_rss_mb is not None]
    return benches[0].model_copy(
        update={
            "samples": pool(bench.samples for bench in benches),
            "memory": tuple(phase for bench in benches for phase in bench.memory),
            "peak_rss_mb": max(rss, default=None),
            "trials": sum(bench.trials for bench in benches),
        }
    )


def pool(found: Iterable[Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
    """Samples by name, one after the other."""
    joined: dict[str, list[float]] = {}
    for samples in found:
        for name, values in samples.items():
            joined.setdefault(name, []).extend(values)
    return joined


def interval(samples: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % confidence interval of the mean, by Student's t; None for fewer than two samples."""
    if len(samples) < 2:
        return None
    half = t95(len(samples) - 1) * statistics.stdev(samples) / len(samples) ** 0.5
    mean = statistics.fmean(samples)
    return mean - half, mean + half


def t95(freedom: int) -> float:
    """Student's t of a two-sided 95 % interval; between two rows of the table the larger."""
    return next((value for known, value in sorted(_T95.items(), reverse=True) if known <= freedom), 12.71)


def percentile(samples: Sequence[float], share: float) -> float:
    """The value below which `share` of the samples lie, interpolated (type 7 of Hyndman and Fan)."""
    ordered = sorted(samples)
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def rounded(value: float) -> float:
    """Five significant digits: more do not repeat."""
    return float(f"{value:.5g}")


def raw(benches: Sequence[BenchOutcome], loads: Sequence[LoadOutcome]) -> dict[str, list[float]]:
    """The samples behind the measurements, in the order they were taken, process by process."""
    samples = pool(bench.samples for bench in benches)
    return {name: [_short(value) for value in values] for name, values in samples.items()} | {
        "load_s": [one.load_s for one in loads]
    }


def by_metric(found: Sequence[Measurement]) -> Mapping[str, Measurement]:
    """Measurements by name."""
    return {one.metric: one for one in found}


def _between(pooled: Measurement, own: Sequence[Mapping[str, Measurement]]) -> Measurement:
    """The mean and interval over the processes, where each measured it; a peak stays the highest of them."""
    values = [one[pooled.metric].value for one in own if pooled.metric in one]
    known = [value for value in values if value is not None]
    if len(own) < 2 or len(known) < len(own) or pooled.metric in PEAKS:
        return pooled
    bounds = interval(known)
    assert bounds is not None
    low, high = map(rounded, bounds)
    return pooled.model_copy(update={"value": rounded(statistics.fmean(known)), "low": low, "high": high})


def _series(name: str, samples: Sequence[float], evidence: Evidence) -> list[Measurement]:
    """Throughputs and times to first token by their mean; latencies by percentiles."""
    if name in ("latency_ms", "itl_ms"):
        return _percentiles(name.removesuffix("_ms"), samples, evidence)
    bounds = interval(samples)
    low, high = (rounded(bounds[0]), rounded(bounds[1])) if bounds else (None, None)
    value = rounded(statistics.fmean(samples))
    return [Measurement(metric=name, value=value, evidence=evidence, n=len(samples), low=low, high=high)]


def _percentiles(stem: str, samples: Sequence[float], evidence: Evidence) -> list[Measurement]:
    found = []
    for percent, needed in ((50, 1), (90, MIN_P90), (99, MIN_P99)):
        metric = f"{stem}_p{percent}_ms"
        if len(samples) < needed:
            reason = f"{len(samples)} samples, {needed} are needed"
            found.append(Measurement(metric=metric, evidence=evidence, n=len(samples), reason=reason))
        else:
            value = rounded(percentile(samples, percent / 100))
            found.append(Measurement(metric=metric, value=value, evidence=evidence, n=len(samples)))
    return found


def _loads(loads: Sequence[LoadOutcome], evidence: Evidence) -> list[Measurement]:
    """The first start, cold only where that was proven, and the median of the others."""
    if not loads:
        return []
    first, *others = loads
    state = "cold: the files were out of the page cache" if first.page_cache == "cold" else f"first, {first.page_cache}"
    found = [
        Measurement(metric="load_first_s", value=rounded(first.load_s), evidence=evidence, n=1, reason=state),
    ]
    if others:
        value = rounded(statistics.median(one.load_s for one in others))
        found.append(Measurement(metric="load_warm_s", value=value, evidence=evidence, n=len(others)))
    return found


def _one(metric: str, value: float | None, evidence: Evidence, otherwise: str) -> Measurement:
    if value is None:
        return Measurement(metric=metric, evidence=evidence, reason=otherwise)
    return Measurement(metric=metric, value=rounded(value), evidence=evidence, n=1)


def _short(value: float) -> float:
    """Six significant digits: a report of a small model holds 100,000 samples."""
    return float(f"{value:.6g}")
