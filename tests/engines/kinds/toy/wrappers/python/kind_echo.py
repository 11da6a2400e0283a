"""Echoes: weighed one by one, and held against what came back when they were recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import machine
from .goldens import feeds

FORM = "onnx"


def bench(bundle: Any, inputs: Any, plan: Mapping[str, Any], tell: Any) -> dict[str, Any]:
    """So many calls of the first input."""
    watch, gains = machine.Watch(), []
    for _ in range(plan["calls"]):
        feed = feeds(inputs)[0]
        sent, back = (sum(float(np.abs(array).sum()) for array in some.values()) for some in (feed, bundle.run(feed)))
        gains.append(back / sent)
        watch.lap()
    return {
        "samples": {"echo_gain": gains},
        "skipped": {},
        "watch": watch.report(),
        "warmup": None,
        "trials": len(gains),
    }


def record(bundle: Any, inputs: Any, rule: Mapping[str, Any]) -> Any:
    """Everything that came back."""
    return {f"{at}.{name}": array for at, feed in enumerate(feeds(inputs)) for name, array in bundle.run(feed).items()}


def compare(here: Any, goldens: Any, rule: Mapping[str, Any], same: bool) -> dict[str, Any]:
    """No value is further off than the rule allows."""
    names = sorted(name for name in goldens if name != "recorded_on")
    off = {name: float(np.abs(here[name] - goldens[name]).max()) for name in names}
    wrong = [f"{name} is off by {most}" for name, most in off.items() if not most <= rule["most"]]
    return {
        "rule": f"off by {rule['most']} at most",
        "compared": len(names),
        "worst": -max(off.values()),
        "wrong": wrong,
    }


def sure(answers: Any, rule: Mapping[str, Any]) -> int:
    """Every one."""
    return len(answers)
