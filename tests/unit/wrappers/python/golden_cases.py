"""Answers beside their goldens: what every runtime must let pass, and what it must not.

The bundle's model gives back what it is fed, so a case is what the model answers now and what was recorded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

INF, NAN = math.inf, math.nan
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Case:
    """An output: its answers to one input or more, the goldens, and what is said where they do not agree."""

    here: tuple[Array, ...]
    golden: tuple[Array, ...]
    wrong: str = ""


def _case(dtype: str, here: Any, golden: Any, wrong: str = "") -> Case:
    return Case((np.array(here, dtype),), (np.array(golden, dtype),), wrong)


def _feeds(dtype: str, here: Any, golden: Any, wrong: str = "") -> Case:
    """As `_case`, of several inputs."""
    return Case(tuple(np.array(one, dtype) for one in here), tuple(np.array(one, dtype) for one in golden), wrong)


def _bits(dtype: str, patterns: list[int]) -> Array:
    return np.array(patterns, dtype=dtype.replace("float", "uint")).view(dtype)


PLACES, COSINE, LENGTH = "NaN or infinity differs at", "cosine", "times as long as it was"
# log-probabilities: one class is impossible, the others are a distribution
LOG = [-INF, -0.105, -2.303, -7.6]
WIDE = np.random.default_rng(5).normal(size=1000)

_BOTH_KINDS: dict[str, Case] = {}
for _dtype in ("float16", "float32", "float64"):
    _of = {
        "same log-probabilities": (LOG, LOG, ""),
        "noisy log-probabilities": ([-INF, -0.1051, -2.3025, -7.602], LOG, ""),
        "same NaN": ([1.0, NAN, 3.0], [1.0, NAN, 3.0], ""),
        "nothing finite": ([INF, -INF, NAN], [INF, -INF, NAN], ""),
        "only minus infinity": ([-INF, -INF], [-INF, -INF], ""),
        "zeros": ([0.0, 0.0], [0.0, -0.0], ""),
        "zeros beside infinity": ([0.0, INF], [-0.0, INF], ""),
        "empty": ([], [], ""),
        "NaN moved": ([NAN, 1.0, 3.0], [1.0, NAN, 3.0], PLACES),
        "NaN is now a number": ([1.0, 2.0, 3.0], [1.0, NAN, 3.0], PLACES),
        "a number is now NaN": ([1.0, NAN, 3.0], [1.0, 2.0, 3.0], PLACES),
        "NaN is now infinity": ([1.0, INF, 3.0], [1.0, NAN, 3.0], PLACES),
        "infinity is now NaN": ([1.0, NAN, 3.0], [1.0, INF, 3.0], PLACES),
        "infinity's sign": ([INF, -0.105, -2.303, -7.6], LOG, PLACES),
        "infinity moved": ([-0.105, -INF, -2.303, -7.6], LOG, PLACES),
        "infinity is now a number": ([-100.0, -0.105, -2.303, -7.6], LOG, PLACES),
        "a number is now infinity": ([-INF, -0.105, -2.303, -INF], LOG, PLACES),
        "one more NaN beside NaN": ([NAN, NAN, 3.0], [1.0, NAN, 3.0], PLACES),
        "all NaN": ([NAN, NAN, NAN], [1.0, 2.0, 3.0], PLACES),
        "golden all NaN": ([1.0, 2.0, 3.0], [NAN, NAN, NAN], PLACES),
        "one value off beside infinity": ([-INF, -0.105, -2.303, -0.6], LOG, COSINE),
        "one value off beside NaN": ([NAN, 5.0, 2.0], [NAN, 1.0, 2.0], COSINE),
        "sign beside infinity": ([-INF, 0.105, 2.303, 7.6], LOG, COSINE),
        "length beside infinity": ([-INF, -0.21, -4.606, -15.2], LOG, LENGTH),
        "one number beside infinity": ([INF, 3.5], [INF, 3.0], LENGTH),
        "zero is now a number beside infinity": ([0.5, INF], [0.0, INF], COSINE),
        "a number is now zero beside infinity": ([0.0, INF], [0.5, INF], COSINE),
        "zeros are now numbers": ([0.5, 0.25], [0.0, 0.0], COSINE),
        "numbers are now zeros": ([0.0, 0.0], [0.5, 0.25], COSINE),
    }
    _BOTH_KINDS |= {f"{_dtype}: {name}": _case(_dtype, *arrays) for name, arrays in _of.items()}

_TINY = np.array([5e-324, 1e-310, -3e-309])
CASES: dict[str, Case] = {
    **_BOTH_KINDS,
    "float16: largest": _case("float16", [65504, -65504, 1], [65504, -65504, 1]),
    "float16: largest, another sign": _case("float16", [65504, 65504, 1], [65504, -65504, 1], COSINE),
    "float16: overflow": _case("float16", [INF, 1], [65504, 1], PLACES),
    "float16: denormals": _case("float16", [6e-8, 1.2e-7], [6e-8, 1.2e-7]),
    "float16: denormals, turned": _case("float16", [1.2e-7, 0], [0, 1.2e-7], COSINE),
    "float32: largest": _case("float32", [3.4e38, -3e38], [3.4e38, -3e38]),
    "float32: largest, turned": _case("float32", [3.4e38, 3e38], [3.4e38, -3e38], COSINE),
    "float32: largest, shorter": _case("float32", [1.7e38, -1.5e38], [3.4e38, -3e38], LENGTH),
    "float32: denormals": _case("float32", [1e-45, 1e-40], [1e-45, 1e-40]),
    "float32: denormals, turned": _case("float32", [1e-40, 0], [0, 1e-40], COSINE),
    "float64: beyond 1e154": _case("float64", [1e200, -3e200, 2e199], [1e200, -3e200, 2e199]),
    "float64: beyond 1e154, turned": _case("float64", [1e200, 3e200, 2e199], [1e200, -3e200, 2e199], COSINE),
    "float64: beyond 1e154, opposite": _case("float64", [-1e200, -3e200], [1e200, 3e200], COSINE),
    "float64: beyond 1e154, longer": _case("float64", [2e200, 6e200], [1e200, 3e200], LENGTH),
    "float64: beyond 1e154, sound again": _case("float64", [1.0, 3.0], [1e200, 3e200], LENGTH),
    "float64: now beyond 1e154": _case("float64", [1e200, 3e200], [1.0, 3.0], LENGTH),
    "float64: huge beside infinity": _case("float64", [INF, 1e300, 1e300], [INF, 1e300, -1e300], COSINE),
    "float64: largest": _case("float64", [1.7e308, 1.7e308], [1.7e308, 1.7e308]),
    "float64: from end to end": _case("float64", [1.7e308, 0], [5e-324, 0], LENGTH),
    "float64: from the other end": _case("float64", [5e-324, 0], [1.7e308, 0], LENGTH),
    "float64: denormals": _case("float64", _TINY, _TINY),
    "float64: denormals, turned": _case("float64", -_TINY, _TINY, COSINE),
    "float64: denormals, longer": _case("float64", _TINY * 2, _TINY, LENGTH),
    "float64: squares that vanish": _case("float64", [1e-170, 2e-170], [1e-170, 2e-170]),
    "float64: squares that vanish, turned": _case("float64", [1e-170, -2e-170], [1e-170, 2e-170], COSINE),
    "float32: payloads of NaN": Case(
        (_bits("float32", [0x7FC00000, 0x7F800001, 0xFFC12345, 0x3F800000]),),
        (_bits("float32", [0xFFFFFFFF, 0x7FC00000, 0x7FA00001, 0x3F800000]),),
    ),
    "float64: payloads of NaN": Case(
        (_bits("float64", [0x7FF0000000000001, 0xFFF8000000000000, 0x3FF0000000000000]),),
        (_bits("float64", [0x7FF8000000000000, 0x7FFFFFFFFFFFFFFF, 0x3FF0000000000000]),),
    ),
    "float16: payloads of NaN": Case(
        (_bits("float16", [0x7C01, 0xFE00, 0x3C00]),), (_bits("float16", [0x7E00, 0xFFFF, 0x3C00]),)
    ),
    "float32: a NaN that is infinity but for one bit": Case(
        (_bits("float32", [0x7F800000, 0x3F800000]),), (_bits("float32", [0x7F800001, 0x3F800000]),), PLACES
    ),
    "float32: one NaN of many": _case("float32", [*WIDE, NAN], [*WIDE, NAN]),
    "float32: one NaN of many, the others turned": _case("float32", [*-WIDE, NAN], [*WIDE, NAN], COSINE),
    "float32: one infinity of many, the others shuffled": _case("float32", [*WIDE[::-1], INF], [*WIDE, INF], COSINE),
    "float32: matrix": _case("float32", [[1, NAN], [-INF, 2]], [[1, NAN], [-INF, 2]]),
    "float32: matrix, places swapped": _case("float32", [[1, -INF], [NAN, 2]], [[1, NAN], [-INF, 2]], PLACES),
    "float32: dust": _feeds("float32", [[0, 2e-8], [0.9, 1]], [[1e-8, 0], [0.9, 1]]),
    "float32: dust beside infinity": _feeds("float32", [[INF, 0, 2e-8], [INF, 1, 2]], [[INF, 1e-8, 0], [INF, 1, 2]]),
    "float32: dust of a net with one infinity": _feeds("float32", [[0, 2e-8], [INF, 1]], [[1e-8, 0], [INF, 1]]),
    "float32: no dust of a net with one infinity": _feeds("float32", [[0, 1], [INF, 1]], [[1, 0], [INF, 1]], COSINE),
    "float32: no dust of a net with one NaN": _feeds("float32", [[0, 1], [NAN, 1]], [[1, 0], [NAN, 1]], COSINE),
    "float32: NaN in the dust": _feeds("float32", [[NAN, 0], [0.9, 1]], [[1e-8, 0], [0.9, 1]], PLACES),
    "float32: infinity in the dust": _feeds("float32", [[-INF, 0], [0.9, 1]], [[INF, 0], [0.9, 1]], PLACES),
    "float64: dust of what is huge": _feeds("float64", [[1e200, 0], [1e300, 1e300]], [[0, 1e200], [1e300, 1e300]]),
    "int64: beyond 2^53": _case("int64", [2**53 + 1, -(2**62) - 1], [2**53 + 1, -(2**62) - 1]),
    "int64: beyond 2^53, one more": _case("int64", [2**53 + 1, 7], [2**53, 7], COSINE),
    "int64: the ends": _case("int64", [2**63 - 1, -(2**63)], [2**63 - 1, -(2**63)]),
    "int64: the end, one less": _case("int64", [2**63 - 2, 0], [2**63 - 1, 0], COSINE),
    "uint64: the end": _case("uint64", [2**64 - 1, 2**63], [2**64 - 1, 2**63]),
    "uint64: the end, one less": _case("uint64", [2**64 - 2, 2**63], [2**64 - 1, 2**63], COSINE),
    "int32: equal": _case("int32", [-(2**31), 5], [-(2**31), 5]),
    "int32: another": _case("int32", [-(2**31), 5], [2**31 - 1, 5], COSINE),
    "int8: equal": _case("int8", [-128, 127], [-128, 127]),
    "int8: sign": _case("int8", [-1, 127], [1, 127], COSINE),
    "uint8: another": _case("uint8", [255, 0], [254, 0], COSINE),
    "int64: empty": _case("int64", [], []),
    "int64: one of a thousand": _case("int64", [9, *range(1, 1000)], range(1000)),
    "int64: two of a thousand": _case("int64", [9, 9, *range(2, 1000)], range(1000), COSINE),
    "bool: equal": _case("bool", [True, False], [True, False]),
    "bool: another": _case("bool", [True, True], [True, False], COSINE),
    "bool: empty": _case("bool", [], []),
    "bool: without axes": _case("bool", True, True),
    "int64: without axes": _case("int64", -3, -3),
    "int32: without axes, another": _case("int32", 3, 4, COSINE),
    "float32: without axes": _case("float32", 0.5, 0.5),
}
LIMITS = {"cosine_min": 0.999, "length_tolerance": 0.01}  # of the same kernels
INPUTS = 2  # every output answers so many inputs; a case of one input is held to the first alone


def wrong_names() -> list[str]:
    return [name for name, case in CASES.items() if case.wrong]


def answers() -> dict[str, Array]:
    """What the model is fed, and answers: "0.x3", "1.x3" ... for the fourth case."""
    return {
        f"{at}.x{n}": case.here[at % len(case.here)] for n, case in enumerate(CASES.values()) for at in range(INPUTS)
    }


def goldens(names: list[str]) -> dict[str, Array]:
    """The goldens of some cases."""
    found: dict[str, Array] = {}
    for n, (name, case) in enumerate(CASES.items()):
        for at, golden in enumerate(case.golden if name in names else ()):
            found |= {f"{at}.y{n}": golden.ravel(), f"shape.{at}.y{n}": np.array(golden.shape, np.int64)}
    return found


def output(name: str) -> str:
    return f"y{list(CASES).index(name)}"
