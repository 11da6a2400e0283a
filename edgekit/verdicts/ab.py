"""--ab: two bundles taken in turns on one device, and how many times as much one is of the other.

A block is four processes, A B B A: what a machine does slowly (warming, cooling, a neighbour that comes or goes) falls
on both alike. The ratio of a block is the mean log B minus the mean log A; a bootstrap over blocks gives its interval.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from statistics import NormalDist
from typing import Literal

import numpy as np
from pydantic import Field

from edgekit.contract.result import BundleFacts, Conditions, DeviceFacts
from edgekit.data import Strict
from edgekit.results import metrics as m
from edgekit.verdicts.summary import rounded
from edgekit.verdicts.validity import BACKGROUND_CORES
from edgekit.wrappers.python.steady import t95

ORDER = "ABBA"
MIN_BLOCKS, MAX_BLOCKS = 8, 15
LEAST = 0.01  # an effect below this is none, however sure
AIM = 0.02  # half an interval that is narrow enough: with it a difference of 5 % is found
RESAMPLES = 4000
START_C = 2.0  # blocks begin within so many degrees of each other

Word = Literal["different", "no difference", "not-measured", "invalid"]
Times = tuple[float, float, float, float]


class Ratio(Strict):
    """B over A of one metric."""

    metric: str
    verdict: Word
    ratio: float | None = None
    low: float | None = Field(default=None, description="lower end of the 95 % confidence interval")
    high: float | None = None
    better: Literal["A", "B", ""] = Field(default="", description="where they are different")
    blocks: int = 0
    reason: str = ""


class AbConditions(Conditions):
    """Under which conditions the blocks were taken."""

    starts_c: tuple[float | None, ...] = Field(description="how warm each block began")
    other_cores_mean: float | None = None


class AbReport(Strict):
    """Two bundles on one device, taken in turns."""

    format: Literal["1.0"] = "1.0"
    a: BundleFacts
    b: BundleFacts
    device: DeviceFacts
    tools: dict[str, str]
    conditions: AbConditions
    ratios: tuple[Ratio, ...]
    blocks: dict[str, tuple[Times, ...]] = Field(description="by metric and block: what its processes A B B A found")


def log_ratio(block: Times) -> float:
    """The logarithm of B over A of one block."""
    first, second, third, fourth = map(math.log, block)
    return (second + third - first - fourth) / 2


def blocks_needed(blocks: Sequence[Times]) -> int:
    """How many blocks in all make the interval narrow enough, by the spread of the first MIN_BLOCKS.

    Looked at once and only at the spread, never at the ratio, so it makes no false alarm likelier (Stein 1945).
    """
    spread = statistics.stdev(log_ratio(block) for block in blocks[:MIN_BLOCKS])
    wanted = math.ceil((t95(MIN_BLOCKS - 1) * spread / AIM) ** 2)
    return min(max(wanted, MIN_BLOCKS), MAX_BLOCKS)


def interval(blocks: Sequence[Times], seed: int = 0) -> tuple[float, float, float]:
    """Ratio, and the lower and upper end of its 95 % interval: a bootstrap of the blocks' mean log-ratio.

    A plain percentile bootstrap is too narrow for a handful of blocks; its percentiles are moved outwards by the factor
    that makes it Student's t for normal data (Hesterberg 2015, "What teachers should know about the bootstrap", 5.3).
    """
    ratios = np.array([log_ratio(block) for block in blocks])
    count = len(ratios)
    random = np.random.default_rng(seed)
    means = ratios[random.integers(0, count, (RESAMPLES, count))].mean(axis=1)
    tail = NormalDist().cdf(-math.sqrt(count / (count - 1)) * t95(count - 1))
    low, high = np.quantile(means, [tail, 1 - tail])
    return math.exp(ratios.mean()), math.exp(low), math.exp(high)


def judge(metric: str, blocks: Sequence[Times], refused: str = "", why_invalid: Sequence[str] = ()) -> Ratio:
    """B over A of one metric: different only if the interval excludes 1 and the effect is LEAST or more.

    Args:
        refused: why this device may not claim a speed; empty where it may.
        why_invalid: which conditions were broken.
    """
    if len(blocks) < MIN_BLOCKS:
        reason = f"{len(blocks)} blocks, {MIN_BLOCKS} are needed"
        return Ratio(metric=metric, verdict="not-measured", blocks=len(blocks), reason=reason)
    ratio, low, high = interval(blocks)
    known = m.of(metric)
    different = (low > 1 or high < 1) and abs(math.log(ratio)) >= math.log1p(LEAST)
    better: Literal["A", "B", ""] = ""
    if different and known is not None and not refused and not why_invalid:
        better = "B" if (ratio > 1) == (known.better == "higher") else "A"
    sure: Word = "different" if different else "no difference"
    return Ratio(
        metric=metric,
        verdict="not-measured" if refused else "invalid" if why_invalid else sure,
        ratio=rounded(ratio),
        low=rounded(low),
        high=rounded(high),
        better=better,
        blocks=len(blocks),
        reason=refused or "; ".join(why_invalid),
    )


def why_invalid(starts_c: Sequence[float | None], other_cores: float | None) -> list[str]:
    """Why the blocks may not be believed.

    Args:
        starts_c: how warm each block began.
        other_cores: of a core, what other processes used on the average.
    """
    found = []
    known = [value for value in starts_c if value is not None]
    if known and max(known) - min(known) > START_C:
        found.append(f"blocks began between {min(known):.0f} and {max(known):.0f} C, {START_C:.0f} C apart are allowed")
    if other_cores is not None and other_cores > BACKGROUND_CORES:
        found.append(f"other processes used {other_cores:.2f} of a core, {BACKGROUND_CORES:.2f} are allowed")
    return found
