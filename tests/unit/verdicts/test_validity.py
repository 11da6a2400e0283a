"""What makes a measurement invalid, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.contract.check_plan import Identity
from edgekit.verdicts import summary, validity
from tests.unit.verdicts.test_summary import outcome

pytestmark = pytest.mark.unit

STEADY = [1.0, 1.01, 0.99] * 5


def test_a_quiet_steady_run_is_valid() -> None:
    assert validity.reasons(outcome(samples={"latency_ms": STEADY}), "host") == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"warmup": {"steady": False, "seconds": 30.0, "runs_s": []}}, "not steady after 30 s"),
        ({"watch": {"other_cores_mean": 0.4}}, "other processes used 0.40 of a core"),
        ({"watch": {"clock_mhz": [2000.0, 1500.0, 1500.0]}}, "clock fell by 25%"),
        ({"samples": {"latency_ms": [1.0] * 5 + [1.1] * 5 + [1.2] * 5}}, "latency_ms became 20% worse"),
        ({"samples": {"decode_tps": [10.0] * 5 + [9.0] * 5 + [8.0] * 5}}, "decode_tps became 25% worse"),
        ({"samples": {"ttft_ms@pp512": [1.0] * 3 + [1.1] * 3 + [1.2] * 3}}, "ttft_ms@pp512 became 20% worse"),
    ],
)
def test_each_rule_is_named(changes: dict[str, Any], word: str) -> None:
    (reason,) = validity.reasons(outcome(**{"samples": {"latency_ms": STEADY}, **changes}), "host")
    assert word in reason


def test_getting_faster_is_no_throttling() -> None:
    samples = {"latency_ms": [1.2] * 5 + [1.0] * 10, "decode_tps": [8.0] * 5 + [10.0] * 10}
    assert validity.reasons(outcome(samples=samples), "host") == []


def test_a_phone_may_drift_more_than_a_host() -> None:
    samples = {"latency_ms": [1.0] * 5 + [1.04] * 5 + [1.07] * 5}
    assert validity.reasons(outcome(samples=samples), "host")
    assert not validity.reasons(outcome(samples=samples), "device")


def test_only_timings_become_invalid() -> None:
    found = summary.measurements([outcome()], [], 1000, "host")
    marked = {one.metric: one for one in validity.mark(found, ["it was noisy"])}
    assert not marked["latency_p50_ms"].valid and marked["latency_p50_ms"].reason == "it was noisy"
    assert marked["peak_footprint_mb"].valid and marked["bundle_mb"].valid
    missing = marked["latency_p99_ms"]  # not measured stays not measured, for its own reason
    assert missing.value is None and missing.valid and "1000 are needed" in missing.reason


def test_preconditions_are_named() -> None:
    facts = Identity(temperature_c=71.0, governor="powersave", load_1m=3.0, cores=2)
    said = " ".join(validity.preconditions(facts))
    assert "71 C" in said and "powersave" in said and "3.0 on 2 cores" in said
    quiet = Identity(load_1m=0.1, cores=2, thermal_state="nominal")
    assert validity.preconditions(quiet) == []
    hot = quiet.model_copy(update={"thermal_state": "serious"})
    assert validity.preconditions(hot) == ["the device's thermal state is serious"]


@pytest.mark.parametrize(
    ("at_most", "more"),
    [
        ({"watch": {"other_cores_mean": 0.10}}, {"watch": {"other_cores_mean": 0.101}}),
        ({"watch": {"clock_mhz": [2000.0, 1901.0]}}, {"watch": {"clock_mhz": [2000.0, 1899.0]}}),
        ({"samples": {"itl_ms": [1.0] * 6 + [1.049] * 3}}, {"samples": {"itl_ms": [1.0] * 6 + [1.051] * 3}}),
    ],
)
def test_each_rule_begins_just_beyond_its_limit(at_most: dict[str, Any], more: dict[str, Any]) -> None:
    quiet = {"samples": {"latency_ms": STEADY}}
    assert validity.reasons(outcome(**{**quiet, **at_most}), "host") == []
    assert len(validity.reasons(outcome(**{**quiet, **more}), "host")) == 1


def test_nine_samples_tell_a_drift_and_eight_do_not() -> None:
    assert validity.drift("latency_ms", [1.0] * 6 + [1.2] * 3) == pytest.approx(0.2)
    assert validity.drift("decode_tps", [12.0] * 6 + [10.0] * 3) == pytest.approx(0.2)
    assert validity.drift("latency_ms", [1.0] * 5 + [1.2] * 3) is None
