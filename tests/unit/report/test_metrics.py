"""Metric names, budgets, and who may claim what."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgekit.check import judge_all
from edgekit.errors import UsageError
from edgekit.report import metrics
from edgekit.report.measurement import Evidence, Measurement
from edgekit.target import Budget

pytestmark = pytest.mark.unit

DOC = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_document_lists_every_metric_with_its_words() -> None:
    rows = re.findall(
        r"^\| `([a-z0-9_]+)` \| ([^|]+) \| ([a-z]+) \| ([^|]+) \|$", DOC.read_text(encoding="utf-8"), re.M
    )
    known = {name: (one.unit, one.better, one.what) for name, one in metrics.METRICS.items()}
    assert {name: (unit, better, what) for name, unit, better, what in rows if name in known} == known


def test_budgets_are_read() -> None:
    found = metrics.parse_budgets(["decode_tps:min=20", "ttft_ms@pp512:max=900,min=1"])
    assert found == {"decode_tps": Budget(min=20), "ttft_ms@pp512": Budget(min=1, max=900)}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("decode_tsp:min=1", "did you mean 'decode_tps'"),
        ("decode_tps", "is not a budget"),
        ("decode_tps:least=1", "is not a budget"),
        ("decode_tps:min=fast", "is not a budget"),
    ],
)
def test_a_wrong_budget_is_refused(word: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        metrics.parse_budgets([word])


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
    (judged,) = judge_all(found, {"latency_p50_ms": Budget(max=2)}, evidence, elsewhere)
    assert judged.verdict == verdict and judged.value == 1.0


def test_a_size_needs_no_device() -> None:
    found = (Measurement(metric="bundle_mb", value=5.0, evidence="static", n=1),)
    (judged,) = judge_all(found, {"bundle_mb": Budget(max=4)}, "emulated", True)
    assert judged.verdict == "fail"


def test_a_budget_on_what_nobody_measured_is_no_pass() -> None:
    (judged,) = judge_all((), {"power_avg_w": Budget(max=2)}, "device", False)
    assert judged.verdict == "not-measured"
