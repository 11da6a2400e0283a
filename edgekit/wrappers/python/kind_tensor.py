"""Models of plain tensors: the direction (cosine) and the length of every output, as agreement.py compares arrays.

An output whose finite values are all dust, here and in the golden, has no direction. One that holds random numbers has
a shape at most among the goldens, and is held against that alone. One whose rows the model counts is named by an axis
("rows.NAME"), and compared as rows.py says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .agreement import agreement, largest, unlike
from .bench import tensor as bench
from .goldens import feeds, of
from .manifest import Refused
from .npz import Array, Arrays
from .rows import F1, Rows

if TYPE_CHECKING:
    from .tensor import TensorBundle

__all__ = ["FORM", "bench", "compare", "record", "sure"]

FORM = "onnx"
SHAPE = "shape."  # begins the name of an output's shape
ROWS = "rows."  # and of the axis of its rows, where the model says how many it has
MAX_VALUES = 65_536  # of one output; of a larger one evenly spread values are kept
# Of the largest finite value that an output has for any input: less is the dust of rounding, without direction.
NOTHING = 1e-4


def record(bundle: TensorBundle, inputs: Arrays, rule: Mapping[str, Any]) -> Arrays:
    """Every output of every feed, or evenly spread values of it, and its shape."""
    found: Arrays = {}
    for at, feed in enumerate(feeds(inputs)):
        for name, array in bundle.run(feed).items():
            if not isinstance(array, np.ndarray):
                raise Refused(f"the output {name!r} is no tensor", next="cut it off the graph", code="quality")
            found[f"{at}.{name}"] = _spread(array.astype(np.str_) if array.dtype == object else array)
            found[f"{SHAPE}{at}.{name}"] = np.array(array.shape, dtype=np.int64)
    return found


def _spread(array: Array) -> Array:
    """At most MAX_VALUES values, in steps that divide no dimension, so that no channel is left out."""
    step = -(-array.size // MAX_VALUES)
    while step > 1 and any(math.gcd(step, size) > 1 for size in array.shape):
        step += 1
    return array.reshape(-1)[:: max(step, 1)]


def compare(here: Arrays, goldens: Arrays, rule: Mapping[str, Any], same: bool) -> dict[str, Any]:
    """Every output by its direction and length, within the rule's tolerance for these kernels."""
    limits = rule["same_kernels" if same else "elsewhere"]
    wrong, agreements = [], []
    keys = sorted(key for key in goldens if "0" <= key[:1] <= "9")
    shaped = {key.removeprefix(SHAPE) for key in goldens if key.startswith(SHAPE)}
    counted = {key.removeprefix(ROWS): Rows(_axis(goldens, key)) for key in goldens if key.startswith(ROWS)}
    sizes: dict[str, float] = {}
    for key in keys:
        name = key.partition(".")[2]
        sizes[name] = max(sizes.get(name, 0.0), largest(goldens[key]))
    for key in sorted(shaped.union(keys)):
        at, _, name = key.partition(".")
        title = f"input {at}, output {name!r}"
        shape, wanted = _shape(here, key), _shape(goldens, key)
        rows = counted.get(name) if key in goldens else None
        if rows is not None and (shape is None or wanted is None or not rows.fits(shape, wanted)):
            rows = None
        if shape is None or (shape != wanted and rows is None):
            wrong.append(f"{title}: the shape {shape} instead of {wanted}")
            continue
        if key not in goldens:  # random numbers: its shape is all that is asked
            continue
        if rows is not None and wanted and rows.add((here[key], shape), (goldens[key], wanted)):
            continue
        value, why = _held(here[key], goldens[key], sizes[name], limits)
        agreements.append(value)
        wrong += [f"{title}: {why}"] if why else []
    least = limits["cosine_min"] if same else F1
    wrong += [f"output {name!r}: {why}" for name, rows in sorted(counted.items()) if (why := rows.wrong(least))]
    agreements += [rows.f1() for rows in counted.values() if rows.inputs]
    return {
        "rule": f"cosine of at least {limits['cosine_min']:g} for each output",
        "compared": len(keys),
        "worst": min(agreements, default=None),
        "wrong": wrong,
    }


def _shape(arrays: Arrays, key: str) -> list[int] | None:
    return [int(size) for size in arrays[SHAPE + key]] if SHAPE + key in arrays else None


def _axis(goldens: Arrays, key: str) -> int:
    axis = of(goldens, key, "iu")
    return int(axis[0]) if axis.size == 1 else -1


def _held(answer: Array, golden: Array, size: float, limits: Mapping[str, Any]) -> tuple[float, str]:
    """Hold an output against its golden: its cosine, and what is wrong with it."""
    floats = answer.dtype.kind == golden.dtype.kind == "f" and answer.size == golden.size
    strange = unlike(answer, golden) if floats else 0
    dust = floats and not strange and max(largest(answer), largest(golden)) <= NOTHING * size
    value, length = (1.0, 1.0) if dust else agreement(answer, golden)
    if strange:
        return value, f"NaN or infinity differs at {strange} of {golden.size} places"
    if not value >= limits["cosine_min"]:
        return value, f"cosine {value:.4f}, at least {limits['cosine_min']:g} is asked"
    if not abs(length - 1) <= limits["length_tolerance"]:
        return value, f"{length:.3g} times as long as it was"
    return value, ""


def sure(answers: Arrays, rule: Mapping[str, Any]) -> int:
    """Every one."""
    return len(answers)
