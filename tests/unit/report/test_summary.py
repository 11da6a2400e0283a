"""Raw samples to measurements: percentiles, intervals, and what is too little to say anything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.report import summary
from edgekit.report.check_plan import BenchOutcome, LoadOutcome

pytestmark = pytest.mark.unit

SAMPLES = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=50)


def outcome(**changes: object) -> BenchOutcome:
    """A bench that went well."""
    facts: dict[str, object] = {
        "samples": {"latency_ms": [1.0 + 0.001 * at for at in range(30)]},
        "skipped": {},
        "watch": {"other_cores_mean": 0.0, "clock_mhz": [2000.0, 2000.0, 1990.0]},
        "warmup": {"steady": True, "seconds": 2.0, "runs_s": [0.1] * 5},
        "trials": 30,
        "memory": ({"phase": "warm", "mb": 10.0}, {"phase": "measured", "mb": 12.5}),
        "peak_rss_mb": 20.0,
        "engines": {"onnxruntime": "1.32.0"},
    }
    return BenchOutcome.model_validate(facts | changes)


@given(SAMPLES, st.floats(0, 1))
def test_percentiles_are_numpys(samples: list[float], share: float) -> None:
    assert summary.percentile(samples, share) == pytest.approx(np.quantile(samples, share), rel=1e-9)


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    drawn = [summary.interval(random.normal(10, 2, 12).tolist()) for _ in range(2000)]
    covered = np.mean([low <= 10 <= high for low, high in filter(None, drawn)])
    assert 0.93 <= covered <= 0.975


def test_one_sample_has_no_interval() -> None:
    assert summary.interval([1.0]) is None


def test_percentiles_need_enough_samples() -> None:
    found = summary.by_metric(summary.measurements([outcome()], [], 1000, "host"))
    assert found["latency_p50_ms"].value == pytest.approx(1.0145)
    assert found["latency_p90_ms"].value is not None
    assert found["latency_p99_ms"].value is None
    assert "1000 are needed" in found["latency_p99_ms"].reason


def test_a_throughput_has_its_mean_and_interval() -> None:
    found = summary.by_metric(
        summary.measurements([outcome(samples={"decode_tps": [10.0, 12.0, 11.0]})], [], 1, "device")
    )["decode_tps"]
    assert (found.value, found.n, found.evidence) == (11.0, 3, "device")
    assert found.low is not None and found.high is not None and found.low < 11 < found.high


def test_a_first_load_is_cold_only_where_that_is_proven() -> None:
    loads = [
        LoadOutcome(load_s=2.0, page_cache="warm: 3 of 9 pages are held by the system", kind="llm"),
        LoadOutcome(load_s=0.5, page_cache="warm: not evicted", kind="llm"),
        LoadOutcome(load_s=0.7, page_cache="warm: not evicted", kind="llm"),
    ]
    found = summary.by_metric(summary.measurements([outcome()], loads, 1, "host"))
    assert found["load_first_s"].value == 2.0 and found["load_first_s"].reason.startswith("first, warm")
    assert found["load_warm_s"].value == 0.6
    cold = [loads[0].model_copy(update={"page_cache": "cold"})]
    assert summary.measurements([outcome()], cold, 1, "host")[0].reason.startswith("cold")


def test_memory_and_size_come_with_their_reasons() -> None:
    found = summary.by_metric(summary.measurements([outcome()], [], 3_000_000, "host"))
    assert found["peak_footprint_mb"].value == 12.5
    assert (found["bundle_mb"].value, found["bundle_mb"].evidence) == (3.0, "static")
    untold = outcome(memory=({"phase": "warm", "mb": None},), peak_rss_mb=None)
    found = summary.by_metric(summary.measurements([untold], [], 1, "host"))
    assert found["peak_footprint_mb"].value is None and found["peak_rss_mb"].reason


def test_a_skipped_workload_is_not_measured_with_its_reason() -> None:
    found = summary.by_metric(summary.measurements([outcome(skipped={"pp512": "too long"})], [], 1, "host"))
    assert found["ttft_ms@pp512"].value is None and found["ttft_ms@pp512"].reason == "too long"
