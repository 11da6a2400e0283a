"""When a language model gets an int8 key-value cache, and when it cannot have one: before anything is built."""

from __future__ import annotations

from typing import Any

from edgekit import ep, kinds
from edgekit.ep._releases import numbers
from edgekit.errors import UsageError
from edgekit.kinds import Settings
from edgekit.kinds.llm import BITS_OF_INT8, INT8_CACHE
from edgekit.model import Model
from edgekit.target import Target

NAME = "int8_cache"
REASON = "keys and values in int8, a scale a channel: a quarter of the memory; apps need ONNX Runtime {} or later"
# Of calibration text: the beginnings of so many documents, and one long text, where attention sees other keys.
PIECES, TOKENS, LONG = 8, 512, 2048


def config(model: Model, target: Target, settings: Settings) -> dict[str, Any]:
    """How it is calibrated; empty where the settings ask for none.

    Raises:
        UsageError: this target cannot have one.
    """
    if not settings.least_engine:
        return {}
    if why := refused(target, settings):
        raise UsageError(
            f"{target.name} cannot have an int8 key-value cache: {why}",
            next="leave out --cache-bits 8 (cache_bits in a target of your own), or take a CPU target",
        )
    most = settings.lengths(model)[0] or LONG  # a graph takes no more than its model's context
    return {"pieces": PIECES, "tokens": min(TOKENS, most), "long": min(LONG, most)}


def offer(model: Model, target: Target, settings: Settings) -> str:
    """What it would save where the settings have a float cache; empty where there is none, or it cannot be."""
    if getattr(settings, "cache_bits", BITS_OF_INT8) == BITS_OF_INT8 or refused(target, settings):
        return ""
    both = (settings, settings.model_copy(update={"cache_bits": BITS_OF_INT8}))
    floats, int8 = (kinds.of(model.kind).footprint(model, each, 0).kv_bytes_at_max_length or 0 for each in both)
    return (
        f"--cache-bits 8 would keep keys and values in int8: {(floats - int8) / 1e6:,.0f} MB less of the "
        f"{floats / 1e6:,.0f} MB cache, for apps with ONNX Runtime {INT8_CACHE} or later"
    )


def refused(target: Target, settings: Settings) -> str:
    """Why a target cannot have it; empty where it can."""
    if settings.static_shapes:
        return "its graphs have fixed shapes, and a cache of their own"
    for variant in settings.variants():
        if ep.load(variant.ep).graph:
            return f"the graph for {ep.load(variant.ep).title} keeps its cache in float"
    for package in target.runtime:
        if package.engine and "genai" in package.name and numbers(package.engine) < numbers(INT8_CACHE):
            carried = f"{package.name} {package.floor} carries ONNX Runtime {package.engine}"
            return f"{carried}, which it needs {INT8_CACHE} of"
    return ""
