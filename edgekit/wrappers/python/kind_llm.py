"""Language models: the best token of 32 teacher-forced positions, where it led the second by more than the margin.

Half of the positions are read at once, half token by token, as prefill and decoding use different kernels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .bench import llm as bench
from .goldens import of, unusable
from .manifest import Refused
from .npz import Arrays

if TYPE_CHECKING:
    from .llm import LlmBundle

__all__ = ["FORM", "bench", "compare", "record", "sure"]

FORM = "genai"


def record(bundle: LlmBundle, inputs: Arrays, rule: Mapping[str, Any]) -> Arrays:
    """The best token of each position and its lead over the second."""
    ids = [int(token) for token in of(inputs, "token_ids", "iub")]
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


def compare(here: Arrays, goldens: Arrays, rule: Mapping[str, Any], same: bool) -> dict[str, Any]:
    """Where the golden's lead was more than the rule's margin, its token must be the best again."""
    top1, margin = of(goldens, "top1", "iub"), of(goldens, "margin", "f")
    now = here["top1"].ravel()
    if len(margin) != len(top1):
        raise unusable("top1 and margin are of two lengths")
    sure = np.flatnonzero(~(margin <= float(rule["margin"])))  # a margin that is NaN excuses nothing
    wrong = []
    for at in sure:
        token = str(now[at]) if at < len(now) else "none"
        if token != str(top1[at]):
            wrong.append(f"position {at}: token {token} instead of {top1[at]}, which led by {margin[at]:.2f}")
    compared = len(sure)
    return {
        "rule": f"the best token of {len(top1)} positions, where it led by more than {rule['margin']:g}",
        "compared": compared,
        "worst": 1 - len(wrong) / compared if compared else None,
        "wrong": wrong,
    }


def sure(answers: Arrays, rule: Mapping[str, Any]) -> int:
    """Those that lead by more than the margin."""
    return int((answers["margin"] > rule["margin"]).sum())
