"""When a run is warm, and how sure a mean is."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from edgekit.kinds import WarmUp
from edgekit.verdicts import ab, baseline, summary
from edgekit.wrappers.python import bench, steady

pytestmark = pytest.mark.unit


def rule(**changes: Any) -> dict[str, Any]:
    return WarmUp(**{"min_s": 0, **changes}).model_dump()


def test_variation_and_slope() -> None:
    values = [10.0, 11.0, 9.0, 10.0]
    assert steady.variation(values) == pytest.approx(np.std(values, ddof=1) / np.mean(values))
    assert steady.slope([1.0, 2.0, 3.0]) == pytest.approx(2 / 2)  # rises by 2, around a mean of 2
    assert steady.slope([5.0, 5.0, 5.0, 5.0]) == 0
    noisy = [3.0, 2.5, 2.8, 2.2, 2.0]
    fitted = np.polyfit(range(5), noisy, 1)[0]
    assert steady.slope(noisy) == pytest.approx(fitted * 4 / np.mean(noisy))


@pytest.mark.parametrize(("n", "quantile"), [(2, 12.71), (3, 4.30), (5, 2.78), (10, 2.26), (11, 2.23), (30, 2.09)])
def test_half_width(n: int, quantile: float) -> None:
    """Between the table's rows the wider interval counts."""
    values = [100.0 + (-1) ** at for at in range(n)]
    expected = quantile * np.std(values, ddof=1) / math.sqrt(n) / np.mean(values)
    assert steady.half_width(values) == pytest.approx(expected)


def test_one_value_says_nothing() -> None:
    assert steady.half_width([1.0]) == math.inf
    assert steady.half_width([]) == math.inf


def runs(seconds: Iterator[float]) -> dict[str, Any]:
    return steady.warm_up(lambda: next(seconds), rule(max_s=60))


def test_it_ends_when_the_last_runs_are_alike() -> None:
    slow_start = iter([9.0, 5.0, 3.0, 2.0, 1.0, 1.0, 1.001, 0.999, 1.0, 1.0, 1.0])
    found = runs(slow_start)
    assert found["steady"] is True and len(found["runs_s"]) == 9  # the first window of five without the slow ones


def test_a_drift_is_not_steady() -> None:
    drift = iter([1.0 * 1.01**at for at in range(40)])  # its variation is under 5 %, its slope is not under 2 %
    with pytest.raises(StopIteration):
        runs(drift)


def test_at_least_so_many_runs_and_seconds() -> None:
    assert len(steady.warm_up(lambda: 1.0, rule(min_runs=8))["runs_s"]) == 8
    started = perf_counter()
    found = steady.warm_up(lambda: 1.0, rule(min_s=0.05))
    assert found["steady"] and found["seconds"] >= 0.05 and perf_counter() - started >= 0.05


def test_it_gives_up() -> None:
    noise = iter([1.0, 5.0] * 10**6)
    found = steady.warm_up(lambda: next(noise), rule(max_s=0.02))
    assert found["steady"] is False and len(found["runs_s"]) >= 5


def test_trials_go_on_until_the_intervals_are_narrow() -> None:
    trials = {"min": 3, "max": 10, "max_s": 100.0, "half_width": 0.03}
    narrow, wide = [1.0, 1.001, 0.999, 1.0], [1.0, 2.0, 3.0, 1.0]
    assert not bench._enough({}, 0, 0.0, trials)
    assert not bench._enough({"decode_tps": narrow}, 2, 0.0, trials)
    assert bench._enough({"decode_tps": narrow}, 4, 0.0, trials)
    assert not bench._enough({"decode_tps": narrow, "ttft_ms@pp128": wide}, 4, 0.0, trials)
    assert bench._enough({"decode_tps": narrow, "itl_ms": wide}, 4, 0.0, trials)  # single tokens always vary
    assert bench._enough({"decode_tps": wide}, 10, 0.0, trials)
    assert bench._enough({"decode_tps": wide}, 4, 100.0, trials)
    assert not bench._enough({}, 0, 100.0, trials)  # one trial at least


def test_the_runtimes_and_the_verdicts_have_one_table_of_students_t() -> None:
    """The C++ runtime keeps its own copy of it: rows of degrees of freedom and quantile."""
    source = (Path(steady.__file__).parents[1] / "cpp" / "src" / "steady.cpp").read_text(encoding="utf-8")
    table = source[source.index("T95[] =") : source.index(";", source.index("T95[] ="))]
    rows = re.findall(r"\{(\d+), ([0-9.]+)\}", table)
    assert {int(freedom): float(quantile) for freedom, quantile in rows} == steady.T95
    assert [int(freedom) for freedom, _ in rows] == sorted(steady.T95, reverse=True)  # the first that fits is taken
    assert summary.t95 is ab.t95 is baseline.t95 is steady.t95


@pytest.mark.parametrize(("freedom", "quantile"), [(1, 12.71), (10, 2.23), (11, 2.23), (29, 2.09), (1000, 2.0)])
def test_between_two_rows_the_larger_counts(freedom: int, quantile: float) -> None:
    assert steady.t95(freedom) == quantile
