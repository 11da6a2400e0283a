"""The numbers of a decoder's rotary embedding: what is none, or of another length, would turn every position wrongly.

transformers warns of most of them and goes on; GenAI's graph builder takes them as they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from edgekit.errors import SourceError

NEXT = "get config.json again, or correct it"
THETAS = ("rope_theta", "rope_local_base_freq", "global_rope_theta", "local_rope_theta")
ABOVE_ZERO = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings", "attention_factor")
LISTS = ("short_factor", "long_factor")


def check(config: Mapping[str, Any], head_size: int, turned: int | None) -> None:
    """Refuse numbers that are none.

    Args:
        turned: how many values of a head are turned; None for all of them.

    Raises:
        SourceError: a theta, a factor or a list of factors that is no number above zero, or not of the right length.
    """
    for key in THETAS:
        if config.get(key) is not None and not (_above_zero(config[key]) and config[key] > 1):
            raise _wrong(f"{key} is {str(config[key])[:40]!r}, no number above 1")
    scaling = config.get("rope_scaling")
    if scaling is None:
        return
    if not isinstance(scaling, Mapping):
        raise _wrong(f"rope_scaling is {str(scaling)[:40]!r}, no table")
    for key in ABOVE_ZERO:
        if scaling.get(key) is not None and not _above_zero(scaling[key]):
            raise _wrong(f"{key} of rope_scaling is {str(scaling[key])[:40]!r}, no number above 0")
    pairs = (turned or head_size) // 2
    for key in LISTS:
        values = scaling.get(key)
        if values is None:
            continue
        if not isinstance(values, list) or not all(map(_above_zero, values)):
            raise _wrong(f"{key} of rope_scaling is no list of numbers above 0")
        if len(values) != pairs:
            raise _wrong(f"{key} of rope_scaling has {len(values)} numbers, and {pairs} pairs of a head are turned")


def _above_zero(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value > 0


def _wrong(what: str) -> SourceError:
    return SourceError(f"config.json: {what}", next=NEXT)
