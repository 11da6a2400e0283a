"""Models of plain tensors: the direction (cosine) and the length of every output, as agreement.py compares arrays.

An output whose finite values are all dust, here and in the golden, has no direction. One that holds random numbers has
a shape at most among the goldens, and is held against that alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .agreement import agreement, largest, unlike
from .bench import tensor as bench
from .goldens import feeds
from .manifest import Refused
from .npz import Array, Arrays

if TYPE_CHECKING:
    from .tensor import TensorBundle

__all__ = ["FORM", "bench", "compare", "record", "sure"]

FORM = "onnx"
SHAPE = "shape."  # begins the name of an output's shape
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
    sizes: dict[str, float] = {}
    for key in keys:
        name = key.partition(".")[2]
        sizes[name] = max(sizes.get(name, 0.0), largest(goldens[key]))
    for key in sorted(shaped.union(keys)):
        at, _, name = key.partition(".")
        title = f"input {at}, output {name!r}"
        shape, wanted = (arrays[SHAPE + key].tolist() if SHAPE + key in arrays else None for arrays in (here, goldens))
        if shape is None or shape != wanted:
            wrong.append(f"{title}: the shape {shape} instead of {wanted}")
            continue
        if key not in goldens:  # random numbers: its shape is all that is asked
            continue
        answer, golden = here[key], goldens[key]
        floats = answer.dtype.kind == golden.dtype.kind == "f" and answer.size == golden.size
        strange = unlike(answer, golden) if floats else 0
        dust = floats and not strange and max(largest(answer), largest(golden)) <= NOTHING * sizes[name]
        value, length = (1.0, 1.0) if dust else agreement(answer, golden)
        agreements.append(value)
        if strange:
            wrong.append(f"{title}: NaN or infinity differs at {strange} of {golden.size} places")
        elif not value >= limits["cosine_min"]:
            wrong.append(f"{title}: cosine {value:.4f}, at least {limits['cosine_min']:g} is asked")
        elif not abs(length - 1) <= limits["length_tolerance"]:
            wrong.append(f"{title}: {length:.3g} times as long as it was")
    return {
        "rule": f"cosine of at least {limits['cosine_min']:g} for each output",
        "compared": len(keys),
        "worst": min(agreements, default=None),
        "wrong": wrong,
    }


def sure(answers: Arrays, rule: Mapping[str, Any]) -> int:
    """Every one."""
    return len(answers)
