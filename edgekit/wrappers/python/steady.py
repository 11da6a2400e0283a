"""When a run is warm, and when there are enough trials: rules whose numbers come from the plan."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

# Two-sided 95 % quantiles of Student's t by degrees of freedom (Abramowitz and Stegun, table 26.10).
T95 = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26, 10: 2.23, 12: 2.18, 15: 2.13}
T95 |= {20: 2.09, 30: 2.04, 60: 2.0}


def t95(freedom: int) -> float:
    """Student's t of a two-sided 95 % interval; between two rows of the table the larger."""
    return next((value for known, value in sorted(T95.items(), reverse=True) if known <= freedom), T95[1])


def variation(values: Sequence[float]) -> float:
    """Standard deviation over mean."""
    return statistics.stdev(values) / statistics.fmean(values)


def slope(values: Sequence[float]) -> float:
    """How far a straight line through the values rises from the first to the last, over their mean."""
    rise = float(statistics.linear_regression(range(len(values)), values).slope)
    return rise * (len(values) - 1) / statistics.fmean(values)


def half_width(values: Sequence[float]) -> float:
    """Half the 95 % confidence interval of the mean, over the mean; infinite for fewer than two values."""
    if len(values) < 2:
        return float("inf")
    return t95(len(values) - 1) * variation(values) / math.sqrt(len(values))


def warm_up(unit: Callable[[], float], rule: Mapping[str, Any]) -> dict[str, Any]:
    """Repeat `unit`, which returns its own seconds, until it is steady.

    Args:
        rule: min_runs, min_s, window, max_cv, max_slope, max_s.

    Returns: {"runs_s", "steady", "seconds"}.
    """
    started = perf_counter()
    runs: list[float] = []
    while True:
        runs.append(unit())
        spent = perf_counter() - started
        last = runs[-rule["window"] :]
        enough = len(runs) >= max(rule["min_runs"], rule["window"]) and spent >= rule["min_s"]
        steady = enough and variation(last) < rule["max_cv"] and abs(slope(last)) < rule["max_slope"]
        if steady or spent >= rule["max_s"]:
            return {"runs_s": runs, "steady": steady, "seconds": spent}
