"""Raw samples to measurements: percentiles, intervals, and what is too little to say anything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.contract.check_plan import BenchOutcome, LoadOutcome
from edgekit.verdicts import summary

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


def test_the_interval_of_two_and_three_samples_is_students() -> None:
    """t is 12.71 for one degree of freedom, 4.30 for two; the mean's error is the spread over the root of n."""
    assert summary.interval([9.0, 11.0]) == pytest.approx((10 - 12.71, 10 + 12.71))
    assert summary.interval([10.0, 11.0, 12.0]) == pytest.approx((11 - 4.30 / 3**0.5, 11 + 4.30 / 3**0.5))


@pytest.mark.parametrize(("percent", "needed"), [(90, 20), (99, 1000)])
def test_a_percentile_is_given_from_just_as_many_samples_as_it_needs(percent: int, needed: int) -> None:
    for count, enough in ((needed - 1, False), (needed, True)):
        bench = outcome(samples={"latency_ms": [1.0] * count})
        found = summary.by_metric(summary.measurements([bench], [], 1, "host"))
        assert (found[f"latency_p{percent}_ms"].value is not None) is enough


def test_of_several_processes_a_value_is_their_mean_and_a_peak_the_highest() -> None:
    benches = [
        outcome(samples={"decode_tps": [speed] * 3}, peak_rss_mb=peak, memory=({"phase": "warm", "mb": peak},))
        for speed, peak in ((10.0, 20.0), (12.0, 60.0), (14.0, 25.0))
    ]
    found = summary.by_metric(summary.measurements(benches, [], 1, "host"))
    half = 4.30 * 2 / 3**0.5  # over the three processes, whatever each of them varied by
    assert found["decode_tps"].value == 12.0 and found["decode_tps"].n == 9
    assert (found["decode_tps"].low, found["decode_tps"].high) == pytest.approx((12 - half, 12 + half), rel=1e-4)
    assert found["peak_rss_mb"].value == found["peak_footprint_mb"].value == 60.0
