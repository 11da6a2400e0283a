"""--sustain: the speed by the minute, and throttling told from noise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgekit.contract.check_plan import BenchOutcome
from edgekit.verdicts import summary, sustain
from tests.unit.verdicts.test_summary import outcome

pytestmark = pytest.mark.unit

LAP_S = 2.0
SERIES = Path(__file__).parents[2] / "fixtures" / "series"  # each says where it comes from


def bench(speed: list[float], clock: list[float] | None = None) -> BenchOutcome:
    """A sustained run of a language model: laps of two seconds."""
    watch = {"at_s": [at * LAP_S for at in range(len(speed) + 1)], "seconds": len(speed) * LAP_S}
    if clock is not None:
        watch["clock_mhz"] = [clock[0], *clock]
    return outcome(samples={"decode_tps": speed}, warmup=None, watch=watch, trials=len(speed))


def noise(seconds: float, spread: float = 0.02, seed: int = 1) -> np.ndarray:
    """A steady speed of 20 tokens/s: synthetic."""
    return np.random.default_rng(seed).normal(20, 20 * spread, int(seconds / LAP_S))


@pytest.mark.parametrize(
    ("seconds", "minutes"),
    [(20, []), (59.5, [1]), (90, [1]), (300, [1, 5]), (600, [1, 5, 10]), (1500, [1, 5, 10, 20, 25]), (150, [1, 2])],
)
def test_the_minutes_that_are_reported(seconds: float, minutes: list[int]) -> None:
    assert sustain.minutes(seconds) == minutes


def test_each_minute_has_its_own_mean() -> None:
    speed = [20.0] * 30 + [16.0] * 120 + [10.0] * 150  # a minute, four minutes, five minutes
    found = summary.by_metric(sustain.measurements(bench(speed), "host"))
    assert [found[f"decode_tps@m{at}"].value for at in (1, 5, 10)] == [20, 16, 10]
    assert found["decode_tps@m1"].n == 30


def test_throttling_is_found_where_it_begins() -> None:
    speed = noise(600)
    speed[90:] *= 0.8  # after 180 s
    found = summary.by_metric(sustain.measurements(bench(speed.tolist()), "host"))["throttle_after_s"]
    assert found.value == pytest.approx(180, abs=12)
    assert "fell by 20%" in found.reason or "fell by 19%" in found.reason or "fell by 21%" in found.reason


@pytest.mark.parametrize("seed", range(20))
def test_a_steady_series_does_not_throttle(seed: int) -> None:
    found = sustain.measurements(bench(noise(600, seed=seed).tolist()), "host")[-1]
    assert found.value == 600 and found.reason == "it did not throttle in 600 s"


def test_a_short_dip_is_no_throttling() -> None:
    speed = noise(600)
    speed[100:112] *= 0.5  # 24 s
    assert "did not throttle" in sustain.measurements(bench(speed.tolist()), "host")[-1].reason


def test_a_falling_clock_is_throttling_before_the_speed_shows_it() -> None:
    clock = [3000.0] * 100 + [2500.0] * 200
    found = sustain.measurements(bench(noise(600).tolist(), clock), "host")[-1]
    assert found.value == pytest.approx(200, abs=12) and found.reason.startswith("the clock fell by 17%")


def test_a_phone_may_drift_more_than_a_host() -> None:
    speed = noise(600, spread=0.005)
    speed[90:] *= 0.92
    assert "did not" in sustain.measurements(bench(speed.tolist()), "device")[-1].reason
    assert "fell by 8%" in sustain.measurements(bench(speed.tolist()), "host")[-1].reason


def test_a_run_that_is_too_short_to_tell_throttles_not() -> None:
    assert "did not" in sustain.measurements(bench([20.0] * 5), "host")[-1].reason


@pytest.mark.parametrize("limit", [0.05, 0.10])
def test_a_recorded_steady_series_and_a_slowed_one_are_told_apart(limit: float) -> None:
    steady, slowed = (json.loads((SERIES / f"swift-f0-{name}.json").read_text()) for name in ("steady", "slowed"))
    assert sustain.onset(steady["at_s"], steady["values"], limit) is None
    found = sustain.onset(slowed["at_s"], slowed["values"], limit)
    assert found is not None
    assert found[0] == pytest.approx(98, abs=10) and found[1] == pytest.approx(0.24, abs=0.03)


def test_a_steady_series_resampled_stays_steady() -> None:
    """500 seeded shufflings of the recorded laps, in stretches of ten seconds."""
    values = np.array(json.loads((SERIES / "swift-f0-steady.json").read_text())["values"])
    random, false = np.random.default_rng(7), 0
    for _ in range(500):
        starts = random.integers(0, len(values) - 10, 30)
        laps = np.concatenate([values[at : at + 10] for at in starts]).tolist()
        false += sustain.onset(list(range(1, len(laps) + 1)), laps, 0.05) is not None
    assert false <= 10
