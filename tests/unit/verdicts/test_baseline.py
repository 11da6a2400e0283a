"""Baselines: what may be compared at all, and when a change counts as a regression."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.contract.result import Process, Report
from edgekit.data import jsonable
from edgekit.errors import NotMeasured
from edgekit.verdicts import baseline
from tests.unit.report import samples

pytestmark = pytest.mark.unit

BASE = samples.llm()
STEADY = (100.0, 101.0, 99.0, 100.5, 99.5)


def result(*values: float, metric: str = "decode_tps", **changes: Any) -> Report:
    """A valid result whose processes found these values of one metric, and nothing else."""
    processes = tuple(Process(values={metric: value}, counts={}, trials=1) for value in values)
    report = BASE.model_copy(update={"processes": processes, "raw": {}, "measurements": ()})
    return report.model_copy(update=changes)


def changed(part: Any, changes: dict[str, Any]) -> Any:
    """A part of a result with other values."""
    return part | changes if isinstance(part, dict) else part.model_copy(update=changes)


def verdict(before: tuple[float, ...], after: tuple[float, ...], again: tuple[float, ...] = (), **kind: Any) -> str:
    known = baseline.save([result(*before, **kind)])
    rerun = result(*again, **kind) if again else None
    (change,) = baseline.compare(known, result(*after, **kind), rerun)
    return change.verdict


def test_five_processes_make_a_baseline_and_four_do_not() -> None:
    assert baseline.save([result(*STEADY)]).processes == 5
    assert baseline.save([result(*STEADY[:3]), result(*STEADY[3:])]).values["decode_tps"] == STEADY
    with pytest.raises(NotMeasured, match="here are 4"):
        baseline.save([result(*STEADY[:4])])


@pytest.mark.parametrize(
    ("after", "again", "word"),
    [
        (STEADY, (), "pass"),
        ((98.5, 99.0, 98.0, 98.5, 98.8), (), "pass"),  # 1.4 % slower: within 3 %
        ((90.0, 90.5, 89.5, 90.2, 89.8), (90.0, 90.5, 89.5, 90.2, 89.8), "fail"),
        ((90.0, 90.5, 89.5, 90.2, 89.8), (), "inconclusive"),  # nobody measured it a second time
        ((90.0, 90.5, 89.5, 90.2, 89.8), STEADY, "inconclusive"),  # and the rerun disagrees
        ((80.0, 110.0, 90.0, 105.0, 85.0), (), "inconclusive"),  # 6 % slower, but no one knows
        ((80.0, 110.0, 90.0, 105.0, 85.0), (80.0, 110.0, 90.0, 105.0, 85.0), "inconclusive"),  # not twice either
        ((110.0, 110.5, 109.5, 110.2, 109.8), (), "better"),
    ],
)
def test_it_fails_only_beyond_the_limit_for_sure_and_twice(
    after: tuple[float, ...], again: tuple[float, ...], word: str
) -> None:
    assert verdict(STEADY, after, again) == word


def test_a_time_regresses_upwards() -> None:
    slower = tuple(value * 1.2 for value in STEADY)
    assert verdict(STEADY, slower, slower, metric="itl_p50_ms") == "fail"
    assert verdict(slower, STEADY, metric="itl_p50_ms") == "better"


@pytest.mark.parametrize(
    ("metric", "limit"),
    [
        ("decode_tps", 0.03),
        ("load_warm_s", 0.15),
        ("peak_rss_mb", 0.03),
        ("energy_j_per_token", 0.10),
        ("power_avg_w", 0.10),
    ],
)
def test_the_limit_is_never_below_what_such_a_metric_varies_by(metric: str, limit: float) -> None:
    assert baseline.limit(metric, (1.0,) * 5, "host") == limit
    assert baseline.limit(metric, (1.0, 1.1, 0.9, 1.2, 0.8), "host") == pytest.approx(max(limit, 0.3))


def test_a_phone_may_vary_more() -> None:
    assert baseline.limit("decode_tps", (1.0,) * 5, "device") == 0.07


def test_one_process_is_held_against_the_spread_of_the_baseline() -> None:
    noisy = (100.0, 104.0, 96.0, 102.0, 98.0)
    assert verdict(noisy, (90.0,), (90.0,)) == "inconclusive"  # 3 x MAD is 6 %, and one process says little
    assert verdict(noisy, (50.0,), (50.0,)) == "fail"


@pytest.mark.parametrize(
    ("part", "changes", "said"),
    [
        ("device", {"cpu": "Another CPU"}, "device cpu is 'Another CPU'"),
        ("device", {"os_version": "Example Linux 2"}, "device os_version"),
        ("device", {"ram_mb": 16000}, "device ram_mb is 16000"),
        ("bundle", {"model": "another"}, "bundle model is 'another'"),
        ("bundle", {"target": "android-cpu"}, "bundle target"),
        ("conditions", {"threads": 4}, "conditions threads is 4, the baseline's is not known"),
        ("conditions", {"workload": "pp1024 tg128"}, "conditions workload"),
        ("tools", {"edgekit": "7.0.0"}, "edgekit is 7.0.0"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_reason(part: str, changes: dict[str, Any], said: str) -> None:
    known = baseline.save([result(*STEADY)])
    report = result(*STEADY)
    other = report.model_copy(update={part: changed(getattr(report, part), changes)})
    with pytest.raises(NotMeasured) as caught:
        baseline.compare(known, other)
    assert said in caught.value.message and caught.value.next


def test_a_little_less_memory_and_another_build_of_the_bundle_are_no_hindrance() -> None:
    report = result(*STEADY)
    other = report.model_copy(
        update={
            "device": report.device.model_copy(update={"ram_mb": 7990}),
            "bundle": report.bundle.model_copy(update={"sha256": "b" * 64, "recipe": "int4_rtn"}),
            "tools": {**report.tools, "onnxruntime": "1.33.0"},
        }
    )
    assert baseline.compare(baseline.save([report]), other)[0].verdict == "pass"


def test_what_is_not_known_is_left_out() -> None:
    saved = jsonable(baseline.save([result(*STEADY)]))
    assert "soc" not in saved["device"] and "threads" not in saved["conditions"] and saved["device"]["cores"] == 8


def test_what_is_no_measurement_is_not_saved() -> None:
    report = result(*STEADY)
    invalid = report.model_copy(update={"conditions": changed(report.conditions, {"invalid": ("others were busy",)})})
    wrong = report.model_copy(update={"goldens": changed(report.goldens, {"passed": False})})
    emulated = report.model_copy(update={"device": changed(report.device, {"evidence": "emulated"})})
    for one, said in ((invalid, "others were busy"), (wrong, "golden"), (emulated, "emulated")):
        with pytest.raises(NotMeasured, match=said):
            baseline.save([one])


def test_results_of_two_devices_make_no_baseline() -> None:
    other = result(*STEADY).model_copy(update={"device": changed(result().device, {"abi": "x86_64"})})
    with pytest.raises(NotMeasured, match="device abi"):
        baseline.save([result(*STEADY), other])


@given(st.lists(st.floats(1, 1000), min_size=5, max_size=9), st.floats(1.0, 1.02))
def test_a_change_within_the_floor_never_fails(values: list[float], slower: float) -> None:
    found = verdict(tuple(values), tuple(value / slower for value in values), tuple(value / slower for value in values))
    assert found != "fail"


def test_noise_alone_fails_almost_never_and_fifteen_percent_almost_always() -> None:
    """Over 400 seeded pairs of five processes with 2 % spread."""
    random = np.random.default_rng(11)

    def draw(speed: float) -> tuple[float, ...]:
        return tuple(random.normal(speed, 0.02 * speed, 5).tolist())

    same = sum(verdict(draw(100), draw(100), draw(100)) == "fail" for _ in range(400))
    slower = sum(verdict(draw(100), draw(85), draw(85)) == "fail" for _ in range(400))
    assert same == 0 and slower >= 380
