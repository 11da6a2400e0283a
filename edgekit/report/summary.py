"""Raw samples become measurements: medians, percentiles, confidence intervals."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from edgekit.report.check_plan import BenchOutcome, LoadOutcome
from edgekit.report.measurement import Evidence, Measurement

MIN_P99 = 1000  # samples; below, the 99th percentile is one of the last few and says little
MIN_P90 = 20
# Student's t for a two-sided 95 % interval by degrees of freedom (Abramowitz and Stegun, table 26.10).
_T95 = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 8: 2.31, 10: 2.23, 15: 2.13, 20: 2.09, 30: 2.04, 60: 2.0}


def measurements(
    bench: BenchOutcome, loads: Sequence[LoadOutcome], bundle_bytes: int, evidence: Evidence
) -> tuple[Measurement, ...]:
    """Every metric of a check, those that could not be measured with their reason. Units are in the names."""
    found = [*_loads(loads, evidence)]
    for name, samples in bench.samples.items():
        found += _series(name, samples, evidence)
    for workload, reason in bench.skipped.items():
        found += [
            Measurement(metric=f"{metric}@{workload}", evidence=evidence, reason=reason)
            for metric in ("ttft_ms", "prefill_tps")
        ]
    phases = [phase["mb"] for phase in bench.memory if phase.get("mb") is not None]
    found.append(_one("peak_footprint_mb", max(phases, default=None), evidence, "this system does not tell PSS"))
    found.append(_one("peak_rss_mb", bench.peak_rss_mb, evidence, "this system does not tell the peak"))
    found.append(Measurement(metric="bundle_mb", value=rounded(bundle_bytes / 1e6), evidence="static", n=1))
    return tuple(found)


def interval(samples: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % confidence interval of the mean, by Student's t; None for fewer than two samples."""
    if len(samples) < 2:
        return None
    freedom = len(samples) - 1
    t = next((value for known, value in sorted(_T95.items(), reverse=True) if known <= freedom), 12.71)
    half = t * statistics.stdev(samples) / len(samples) ** 0.5
    mean = statistics.fmean(samples)
    return mean - half, mean + half


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


def raw(bench: BenchOutcome, loads: Sequence[LoadOutcome]) -> dict[str, list[float]]:
    """The samples behind the measurements, in the order they were taken."""
    return {**bench.samples, "load_s": [one.load_s for one in loads]}


def by_metric(found: Sequence[Measurement]) -> Mapping[str, Measurement]:
    """Measurements by name."""
    return {one.metric: one for one in found}
