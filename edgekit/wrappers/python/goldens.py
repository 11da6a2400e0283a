"""Golden outputs: recorded when a bundle is sealed, compared on the device before anything is timed.

What is recorded and how it is compared is the kind's (kind_NAME.py). CPUs' int4 and int8 kernels differ, so exact
values are never the rule.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import kinds, machine, strict
from .manifest import Refused
from .npz import Array, Arrays

if TYPE_CHECKING:  # a device that runs tensors need not have GenAI
    from .llm import LlmBundle
    from .tensor import TensorBundle

_SHOWN = 5  # mismatches that are named


def record(bundle: LlmBundle | TensorBundle, inputs: Arrays, rule: Mapping[str, Any]) -> Arrays:
    """What check/goldens.npz holds: the answers to check/inputs.npz, and what they were recorded on."""
    where = {"ep": bundle.opened.variant.get("ep", "cpu"), "kernels": machine.kernels()}
    return {
        **kinds.of(bundle.opened.kind).record(bundle, inputs, rule),
        "recorded_on": np.array(json.dumps(where, sort_keys=True)),
    }


def compare(
    bundle: LlmBundle | TensorBundle, inputs: Arrays, goldens: Arrays, rule: Mapping[str, Any]
) -> dict[str, Any]:
    """Run the inputs again and hold the answers against the goldens.

    Returns: passed, compared (how many answers the rule looked at), same_kernels, rule (in words), worst (the lowest
    agreement), mismatches (the first few, each in words) and their count.
    """
    here = record(bundle, inputs, rule)
    same = bool(here["recorded_on"] == goldens["recorded_on"])
    result = kinds.of(bundle.opened.kind).compare(here, goldens, rule, same)
    wrong = result.pop("wrong")
    return {
        **result,
        "passed": not wrong,
        "same_kernels": same,
        "recorded_on": strict.loads(str(goldens["recorded_on"]).encode()),
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


def of(arrays: Arrays, name: str, dtypes: str) -> Array:
    """An array of a bundle's check data, flat; its dtype is of one of these kinds."""
    if name not in arrays or arrays[name].dtype.kind not in dtypes:
        raise unusable(f"{name} is missing, or of another type")
    return arrays[name].ravel()


def unusable(why: str) -> Refused:
    return Refused(f"the bundle's check data cannot be used: {why}", next="fetch the bundle again")
