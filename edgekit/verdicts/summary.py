"""Raw samples become measurements: means, percentiles, confidence intervals.

With one process an interval is over its trials. With several the process is the unit: a value is the mean of what each
of them found, its interval is Student's t over them (two processes differ by more than two trials of one).
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from edgekit.contract.check_plan import BenchOutcome, LoadOutcome
from edgekit.contract.result import Process
from edgekit.results import metrics as m
from edgekit.results.measurement import Evidence, Measurement
from edgekit.results.metrics import Metric
from edgekit.results.partition import Partition
from edgekit.wrappers.python.steady import t95


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
    found.append(_one(m.BUNDLE_MB, bundle_bytes / 1e6, "static"))
    return tuple(found)


def of_process(bench: BenchOutcome, evidence: Evidence) -> list[Measurement]:
    """What one process measured."""
    found = []
    for name, samples in bench.samples.items():
        found += _series(name, samples, evidence)
    if m.THROUGHPUT_IPS.name in bench.samples:  # latencies of a sustained run are medians of a second
        found = [one for one in found if (known := m.of(one.metric)) is None or known.quantile in (None, 0.5)]
    for workload, reason in bench.skipped.items():
        metrics = (m.DECODE_TPS,) if workload.startswith("d") else (m.TTFT_MS, m.PREFILL_TPS)
        found += [Measurement(metric=f"{one.name}@{workload}", evidence=evidence, reason=reason) for one in metrics]
    phases = [phase.mb for phase in bench.memory if phase.mb is not None]
    found.append(_one(m.PEAK_FOOTPRINT_MB, max(phases, default=None), evidence, "this system does not tell PSS"))
    found.append(_one(m.PEAK_RSS_MB, bench.peak_rss_mb, evidence, "this system does not tell the peak"))
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
    known = [value for bench in benches for value in bench.watch.temperature_c if value is not None]
    known += [watched_c] if watched_c is not None else []
    one = _one(m.TEMPERATURE_MAX_C, max(known, default=None), evidence, "no temperature sensor can be read here")
    named = f"the hottest of {', '.join(sensors)}" if sensors else "the hottest thermal zone"
    return one if one.value is None else one.model_copy(update={"n": len(known), "reason": named})


def shares(partition: Mapping[str, Partition], variant: str | None) -> tuple[Measurement, ...]:
    """ep_share of the variant that ran; where nobody chose one of several, that of each (ep_share@NAME)."""
    wanted = {name: graph for name, graph in partition.items() if variant is None or name == variant}
    return tuple(
        Measurement(
            metric=m.EP_SHARE.name + ("" if len(wanted) == 1 else f"@{name}"),
            value=rounded(graph.coverage),
            evidence=graph.evidence,
            n=1,
            reason=f"{graph.how} for {graph.ep}: {graph.basis}",
        )
        for name, graph in wanted.items()
    )


def together(benches: Sequence[BenchOutcome]) -> BenchOutcome:
    """The samples of several processes as if they were one's."""
    rss = [bench.peak_rss_mb for bench in benches if bench.peak_rss_mb is not None]
    return benches[0].model_copy(
        update={
            "samples": pool(bench.samples for bench in benches),
            "memory": tuple(phase for bench in benches for phase in bench.memory),
            m.PEAK_RSS_MB.name: max(rss, default=None),
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


def mean(name: str, samples: Sequence[float], evidence: Evidence) -> Measurement:
    """The mean of samples, with its interval where there are two or more."""
    low, high = map(rounded, bounds) if (bounds := interval(samples)) else (None, None)
    value = rounded(statistics.fmean(samples))
    return Measurement(metric=name, value=value, evidence=evidence, n=len(samples), low=low, high=high)


def percentile(samples: Sequence[float], share: float) -> float:
    """The value below which `share` of the samples lie, interpolated (type 7 of Hyndman and Fan)."""
    return float(np.quantile(samples, share))


def rounded(value: float, digits: int = 5) -> float:
    """Five significant digits: more do not repeat."""
    return float(f"{value:.{digits}g}")


def raw(benches: Sequence[BenchOutcome], loads: Sequence[LoadOutcome]) -> dict[str, list[float]]:
    """The samples behind the measurements, in the order they were taken; in few digits, for there may be 100,000."""
    samples = pool(bench.samples for bench in benches)
    return {name: [rounded(value, 6) for value in values] for name, values in samples.items()} | {
        m.LOAD_WARM_S.series: [one.load_s for one in loads]
    }


def by_metric(found: Sequence[Measurement]) -> Mapping[str, Measurement]:
    """Measurements by name."""
    return {one.metric: one for one in found}


def _between(pooled: Measurement, own: Sequence[Mapping[str, Measurement]]) -> Measurement:
    """The mean and interval over the processes, where each measured it; a peak stays the highest of them."""
    values = [one[pooled.metric].value for one in own if pooled.metric in one]
    known = [value for value in values if value is not None]
    metric = m.of(pooled.metric)
    if len(own) < 2 or len(known) < len(own) or (metric is not None and metric.over == "max"):
        return pooled
    bounds = interval(known)
    assert bounds is not None
    low, high = map(rounded, bounds)
    return pooled.model_copy(update={"value": rounded(statistics.fmean(known)), "low": low, "high": high})


def _series(name: str, samples: Sequence[float], evidence: Evidence) -> list[Measurement]:
    """Throughputs and times to first token by their mean; latencies by percentiles."""
    if percentiles := [one for one in m.of_series(name) if one.quantile is not None]:
        return [_percentile(one, samples, evidence) for one in percentiles]
    return [mean(name, samples, evidence)]


def _percentile(metric: Metric, samples: Sequence[float], evidence: Evidence) -> Measurement:
    """Below the samples that it needs, a high percentile is one of the last few and says little."""
    assert metric.quantile is not None
    if len(samples) < metric.least:
        reason = f"{len(samples)} samples, {metric.least} are needed"
        return Measurement(metric=metric.name, evidence=evidence, n=len(samples), reason=reason)
    value = rounded(percentile(samples, metric.quantile))
    return Measurement(metric=metric.name, value=value, evidence=evidence, n=len(samples))


def _loads(loads: Sequence[LoadOutcome], evidence: Evidence) -> list[Measurement]:
    """The first start, cold only where that was proven, and the median of the others."""
    if not loads:
        return []
    first, *others = loads
    state = "cold: the files were out of the page cache" if first.page_cache == "cold" else f"first, {first.page_cache}"
    found = [_one(m.LOAD_FIRST_S, first.load_s, evidence).model_copy(update={"reason": state})]
    if others:
        value = statistics.median(one.load_s for one in others)
        found.append(_one(m.LOAD_WARM_S, value, evidence).model_copy(update={"n": len(others)}))
    return found


def _one(metric: Metric, value: float | None, evidence: Evidence, otherwise: str = "") -> Measurement:
    if value is None:
        return Measurement(metric=metric.name, evidence=evidence, reason=otherwise)
    return Measurement(metric=metric.name, value=rounded(value), evidence=evidence, n=1)
