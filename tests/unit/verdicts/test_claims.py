"""Who may claim what."""

from __future__ import annotations

import pytest

from edgekit.results.measurement import Evidence, Measurement
from edgekit.results.metrics import Limit
from edgekit.verdicts.limits import judge_all, proof

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("evidence", "elsewhere", "verdict"),
    [
        ("device", False, "pass"),
        ("host", False, "pass"),
        ("host", True, "not-measured"),
        ("emulated", False, "not-measured"),
        ("simulated", False, "not-measured"),
    ],
)
def test_only_a_device_or_the_host_itself_may_claim_a_latency(
    evidence: Evidence, elsewhere: bool, verdict: str
) -> None:
    found = (Measurement(metric="latency_p50_ms", value=1.0, evidence=evidence, n=200),)
    (judged,) = judge_all(found, {"latency_p50_ms": Limit(max=2)}, evidence, elsewhere)
    assert judged.verdict == verdict and judged.value == 1.0


def test_a_size_needs_no_device() -> None:
    found = (Measurement(metric="bundle_mb", value=5.0, evidence="static", n=1),)
    (judged,) = judge_all(found, {"bundle_mb": Limit(max=4)}, "emulated", True)
    assert judged.verdict == "fail"


def test_a_budget_on_what_nobody_measured_is_no_pass() -> None:
    (judged,) = judge_all((), {"power_avg_w": Limit(max=2)}, "device", False)
    assert judged.verdict == "not-measured"


@pytest.mark.parametrize(
    ("passed", "evidence", "elsewhere", "word"),
    [
        (False, "device", False, "built"),
        (False, "host", True, "built"),
        (True, "host", True, "ran on CPU"),
        (True, "emulated", False, "ran on CPU"),
        (True, "simulated", False, "ran on CPU"),
        (True, "host", False, "works"),
        (True, "device", False, "works"),
    ],
)
def test_only_a_run_on_the_target_itself_shows_that_it_works(
    passed: bool, evidence: Evidence, elsewhere: bool, word: str
) -> None:
    assert proof(passed, evidence, elsewhere) == word
