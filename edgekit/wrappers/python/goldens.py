"""Golden outputs: recorded when a bundle is sealed, compared on the device before anything is timed.

llm: the best token of 32 teacher-forced positions, where it led the second by more than the plan's margin; half of the
positions are read at once, half token by token, as prefill and decoding use different kernels. tensor: the direction
(cosine) and the length of every output. CPUs' int4 and int8 kernels differ, so exact values are never the rule.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import machine
from .manifest import Refused
from .npz import Array, Arrays

if TYPE_CHECKING:  # a device that runs tensors need not have GenAI
    from .llm import LlmBundle
    from .tensor import TensorBundle

MAX_VALUES = 65_536  # of one output; of a larger one evenly spread values are kept
NOTHING = 1e-4  # of the largest value that an output has for any input: less is the dust of rounding, without direction
_SHOWN = 5  # mismatches that are named


def record(bundle: LlmBundle | TensorBundle, inputs: Arrays, rule: Mapping[str, Any]) -> Arrays:
    """What check/goldens.npz holds: the answers to check/inputs.npz, and what they were recorded on."""
    where = {"ep": bundle.opened.variant.get("ep", "cpu"), "kernels": machine.kernels()}
    found = _llm(bundle, inputs, rule) if bundle.kind == "llm" else _tensors(bundle, inputs)
    return {**found, "recorded_on": np.array(json.dumps(where, sort_keys=True))}


def compare(
    bundle: LlmBundle | TensorBundle, inputs: Arrays, goldens: Arrays, rule: Mapping[str, Any]
) -> dict[str, Any]:
    """Run the inputs again and hold the answers against the goldens.

    Returns: passed, compared (how many answers the rule looked at), same_kernels, rule (in words), worst (the lowest
    agreement), mismatches (the first few, each in words) and their count.
    """
    here = record(bundle, inputs, rule)
    same = bool(here["recorded_on"] == goldens["recorded_on"])
    if bundle.kind == "llm":
        result = _compare_llm(here, goldens, rule)
    else:
        result = _compare_tensors(here, goldens, rule["same_kernels" if same else "elsewhere"])
    wrong = result.pop("wrong")
    return {
        **result,
        "passed": not wrong,
        "same_kernels": same,
        "recorded_on": json.loads(str(goldens["recorded_on"])),
        "mismatches": wrong[:_SHOWN],
        "mismatch_count": len(wrong),
    }


def with_calls(found: Mapping[str, Any], calls: Mapping[str, Any]) -> dict[str, Any]:
    """What `compare` found, with function calls that were asked: one that is no call is a mismatch."""
    wrong = calls["wrong"]
    return {
        **found,
        "passed": found["passed"] and not wrong,
        "mismatches": [*found["mismatches"], *wrong][:_SHOWN],
        "mismatch_count": found["mismatch_count"] + len(wrong),
        "function_calls": {name: calls[name] for name in ("asked", "parsed", "reason")},
    }


def feeds(inputs: Arrays) -> list[Arrays]:
    """The feeds of check/inputs.npz, whose arrays are named "0.input", "1.input", ..."""
    found: dict[int, Arrays] = {}
    for key, array in inputs.items():
        at, _, name = key.partition(".")
        found.setdefault(int(at), {})[name] = array
    return [found[at] for at in sorted(found)]


def _llm(bundle: LlmBundle, inputs: Arrays, rule: Mapping[str, Any]) -> Arrays:
    ids = [int(token) for token in inputs["token_ids"]]
    if not ids:
        raise Refused("the bundle's check text is empty", next="build the bundle again")
    single = min(int(rule["positions"]) // 2, len(ids) - 1)
    parts = [ids[: len(ids) - single], *([token] for token in ids[len(ids) - single :])]
    rows = bundle.logits_in_steps(parts)[-int(rule["positions"]) :]
    if not np.isfinite(rows).all():
        raise Refused("the model's logits are not finite", next="build the bundle with another recipe", code="quality")
    best_two = np.sort(np.partition(rows, -2, axis=-1)[:, -2:], axis=-1)
    return {
        "top1": rows.argmax(axis=-1).astype(np.int64),
        "margin": (best_two[:, 1] - best_two[:, 0]).astype(np.float32),
    }


def _compare_llm(here: Arrays, goldens: Arrays, rule: Mapping[str, Any]) -> dict[str, Any]:
    top1, margin = goldens["top1"], goldens["margin"]
    sure = margin > float(rule["margin"])
    wrong = [
        f"position {at}: token {here['top1'][at]} instead of {top1[at]}, which led by {margin[at]:.2f}"
        for at in np.flatnonzero(sure & (here["top1"] != top1))
    ]
    compared = int(sure.sum())
    return {
        "rule": f"the best token of {len(top1)} positions, where it led by more than {rule['margin']:g}",
        "compared": compared,
        "worst": 1 - len(wrong) / compared if compared else None,
        "wrong": wrong,
    }


def _tensors(bundle: TensorBundle, inputs: Arrays) -> Arrays:
    found: Arrays = {}
    for at, feed in enumerate(feeds(inputs)):
        for name, array in bundle.run(feed).items():
            if not isinstance(array, np.ndarray):
                raise Refused(f"the output {name!r} is no tensor", next="cut it off the graph", code="quality")
            found[f"{at}.{name}"] = _spread(array.astype(np.str_) if array.dtype == object else array)
            found[f"shape.{at}.{name}"] = np.array(array.shape, dtype=np.int64)
    return found


def _spread(array: Array) -> Array:
    """At most MAX_VALUES values, in steps that divide no dimension, so that no channel is left out."""
    step = -(-array.size // MAX_VALUES)
    while step > 1 and any(math.gcd(step, size) > 1 for size in array.shape):
        step += 1
    return array.reshape(-1)[:: max(step, 1)]


def _compare_tensors(here: Arrays, goldens: Arrays, limits: Mapping[str, Any]) -> dict[str, Any]:
    wrong, agreements = [], []
    keys = sorted(key for key in goldens if key[0].isdigit())
    largest: dict[str, float] = {}
    for key in keys:
        name = key.partition(".")[2]
        largest[name] = max(largest.get(name, 0.0), _largest(goldens[key]))
    for key in keys:
        at, _, name = key.partition(".")
        title = f"input {at}, output {name!r}"
        shape, wanted = (arrays[f"shape.{key}"].tolist() if key in arrays else None for arrays in (here, goldens))
        if shape != wanted:
            wrong.append(f"{title}: the shape {shape} instead of {wanted}")
            continue
        dust = NOTHING * largest[name]
        nothing = goldens[key].dtype.kind == "f" and max(_largest(here[key]), _largest(goldens[key])) <= dust
        value, length = (1.0, 1.0) if nothing else agreement(here[key], goldens[key])
        agreements.append(value)
        if value < limits["cosine_min"]:
            wrong.append(f"{title}: cosine {value:.4f}, at least {limits['cosine_min']:g} is asked")
        elif abs(length - 1) > limits["length_tolerance"]:
            wrong.append(f"{title}: {length:.3g} times as long as it was")
    return {
        "rule": f"cosine of at least {limits['cosine_min']:g} for each output",
        "compared": len(keys),
        "worst": min(agreements, default=None),
        "wrong": wrong,
    }


def _largest(array: Array) -> float:
    """The largest absolute value; infinite where one is not finite, 0 for what is no float."""
    if array.dtype.kind != "f" or not array.size:
        return 0.0
    value = float(np.abs(array).max())
    return value if math.isfinite(value) else math.inf


def agreement(here: Array, golden: Array) -> tuple[float, float]:
    """Cosine and ratio of lengths of two float arrays; of others the share of equal values, and 1."""
    if here.dtype.kind != golden.dtype.kind or here.size != golden.size:
        return 0.0, 1.0
    if golden.dtype.kind != "f":
        return (float(np.mean(here == golden)) if golden.size else 1.0), 1.0
    a, b = here.astype(np.float64).ravel(), golden.astype(np.float64).ravel()
    finite = np.isfinite(a) & np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):  # an infinity or NaN is only like itself
        return 0.0, 1.0
    a, b = a[finite], b[finite]
    lengths = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if not all(lengths):
        return (1.0, 1.0) if lengths[0] == lengths[1] else (0.0, 1.0)
    return float(a @ b) / (lengths[0] * lengths[1]), lengths[0] / lengths[1]
