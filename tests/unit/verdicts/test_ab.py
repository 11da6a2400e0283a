"""A/B: how often noise is taken for a difference, and a difference for noise."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.verdicts import ab
from edgekit.verdicts.ab import Times

pytestmark = pytest.mark.unit

POSITIVE = st.floats(0.01, 1000)
SERIES = Path(__file__).parents[2] / "fixtures" / "series"  # each says where it comes from
RESAMPLES = 1000


def blocks(count: int, ratio: float, spread: float, seed: int) -> list[Times]:
    """Blocks of processes whose speed varies by `spread`: synthetic."""
    draws = np.random.default_rng(seed).normal(0, spread, (count, 4))
    speeds = 10 * np.exp(draws + math.log(ratio) * np.array([0, 1, 1, 0]))
    return [(float(a), float(b), float(c), float(d)) for a, b, c, d in speeds]


@given(POSITIVE, POSITIVE, st.floats(-0.5, 0.5))
def test_a_drift_that_both_share_cancels_out(speed: float, ratio: float, drift: float) -> None:
    a1, b1, b2, a2 = (speed * math.exp(drift * at) for at in range(4))
    assert ab.log_ratio((a1, b1 * ratio, b2 * ratio, a2)) == pytest.approx(math.log(ratio), abs=1e-6)


def test_the_interval_covers_the_ratio_about_as_often_as_it_says() -> None:
    found = [ab.interval(blocks(8, 1.05, 0.02, seed), seed) for seed in range(500)]
    covered = sum(low <= 1.05 <= high for _, low, high in found) / len(found)
    assert 0.92 <= covered <= 0.98


def test_a_quiet_machine_needs_few_blocks_and_a_noisy_one_more() -> None:
    assert ab.blocks_needed(blocks(8, 1.0, 0.002, 1)) == 8
    assert ab.blocks_needed(blocks(8, 1.0, 0.2, 1)) == 15


@pytest.mark.parametrize(
    ("metric", "ratio", "better"),
    [("decode_tps", 1.1, "B"), ("decode_tps", 0.9, "A"), ("latency_p50_ms", 1.1, "A"), ("latency_p50_ms", 0.9, "B")],
)
def test_a_difference_says_which_is_better(metric: str, ratio: float, better: str) -> None:
    found = ab.judge(metric, blocks(8, ratio, 0.01, 2))
    assert (found.verdict, found.better) == ("different", better)
    assert found.ratio == pytest.approx(ratio, rel=0.02)


def test_half_a_percent_is_no_difference_however_sure() -> None:
    found = ab.judge("decode_tps", blocks(15, 1.005, 0.0001, 3))
    assert found.verdict == "no difference" and found.low is not None and found.low > 1


def test_too_few_blocks_or_another_machines_evidence_judge_nothing() -> None:
    few = ab.judge("decode_tps", blocks(7, 1.5, 0.01, 4))
    assert few.verdict == "not-measured" and "8 are needed" in few.reason
    other = ab.judge("decode_tps", blocks(8, 1.5, 0.01, 4), "emulated: only the device may claim it")
    assert (other.verdict, other.better) == ("not-measured", "") and other.ratio and "emulated" in other.reason


def test_blocks_that_begin_at_other_temperatures_or_beside_a_load_are_invalid() -> None:
    assert ab.why_invalid([None, None], None) == [] and ab.why_invalid([40.0, 41.5, 40.2], 0.05) == []
    (why,) = ab.why_invalid([40.0, 43.0], 0.0)
    assert "between 40 and 43 C" in why
    (busy,) = ab.why_invalid([40.0, 40.0], 0.5)
    assert "0.50 of a core" in busy
    found = ab.judge("decode_tps", blocks(8, 1.5, 0.01, 5), "", [why])
    assert found.verdict == "invalid" and found.reason == why and not found.better and found.ratio


def recorded(name: str) -> tuple[str, list[float]]:
    """Metric and values of a recorded series of processes."""
    found = json.loads((SERIES / f"{name}.json").read_text(encoding="utf-8"))
    assert found["origin"].startswith("recorded")
    return found["metric"], found["values"]


def share_different(name: str, ratio: float) -> float:
    """How many of 1,000 seeded A/Bs out of a recorded series of one bundle call B different, if it is `ratio` of A.

    A block is four processes in a row from anywhere in the series: what the machine did meanwhile is in it.
    """
    metric, values = recorded(name)
    random = np.random.default_rng(2026)
    found = 0
    for _ in range(RESAMPLES):
        starts = random.integers(0, len(values) - 3, ab.MAX_BLOCKS)
        blocks = [(values[at], values[at + 1] * ratio, values[at + 2] * ratio, values[at + 3]) for at in starts]
        found += ab.judge(metric, blocks[: ab.blocks_needed(blocks[: ab.MIN_BLOCKS])]).verdict == "different"
    return found / RESAMPLES


@pytest.mark.parametrize("name", ["swift-f0-latency", "smollm2-decode", "swift-f0-latency-busy"])
def test_noise_is_called_a_difference_in_seven_percent_at_most(name: str) -> None:
    assert share_different(name, 1.0) <= 0.07


@pytest.mark.parametrize(("name", "slower"), [("swift-f0-latency", 1.05), ("smollm2-decode", 0.95)])
def test_five_percent_slower_is_found_in_ninety_percent_at_least(name: str, slower: float) -> None:
    assert share_different(name, slower) >= 0.90


def test_on_a_busy_machine_little_is_found_and_the_interval_says_so() -> None:
    _, values = recorded("swift-f0-latency-busy")
    blocks = list(zip(values[0:60:4], values[1:60:4], values[2:60:4], values[3:60:4], strict=True))
    found = ab.judge("latency_p50_ms", blocks)
    assert found.verdict == "no difference" and found.low is not None and found.high is not None
    assert found.high / found.low > 1.1
