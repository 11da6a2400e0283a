"""When two graphs of one function are taken for the same."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from edgekit.jobs.opset import SAME, difference

pytestmark = pytest.mark.unit

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("x", "y", "same"),
    [
        ([1.0, 2.0], [1.0, 2.0], True),
        ([1.0, 2.0], [1.0, 2.1], False),
        ([1e6, 2.0], [1e6, 2.1], True),  # over the largest
        ([-INF, -0.1, NAN], [-INF, -0.1, NAN], True),
        ([-INF, -0.1, NAN], [-INF, -0.2, NAN], False),
        ([-INF, -0.1], [INF, -0.1], False),
        ([-INF, -0.1], [-0.1, -INF], False),
        ([NAN, -0.1], [1.0, -0.1], False),
        ([INF, INF], [INF, INF], True),
        ([INF], [NAN], False),
        ([1.7e308, 1.0], [1.7e308, 1.0], True),
        ([1.7e308, 1.0], [-1.7e308, 1.0], False),
        ([], [], True),
        ([2**53 + 1], [2**53 + 1], True),
        ([2**53 + 1], [2**53], False),
        ([True], [False], False),
        (["a"], ["a"], True),
        (["a"], ["b"], False),
    ],
)
def test_arrays(x: list[Any], y: list[Any], same: bool) -> None:
    assert (difference(np.array(x), np.array(y)) <= SAME) is same
