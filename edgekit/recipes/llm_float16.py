"""A language model with weights in half precision: twice int8's size, and as exact as most sources.

On the CPU they are cast to float32 when the model is loaded, as its kernels have no half-precision products. A GPU's
graph computes in half precision, too.
"""

from __future__ import annotations

from typing import Any

from edgekit.kinds.llm import LlmSettings
from edgekit.model import Model
from edgekit.recipes import _olive

KIND = "llm"
PRECISION = "float16"
SUMMARY = "float16 weights, not quantized"
CALIBRATED = False
RUNGS: dict[int, dict[str, Any]] = {10: {}}


def passes(model: Model, settings: LlmSettings) -> list[dict[str, Any]]:
    """The GenAI graph in float16; or in float32 (always for the CPU), its weights stored in half precision."""
    if _olive.own_graph(settings) and settings.activation_bits == 16:
        return _olive.float_graph(model, _olive.model_builder(settings, "fp16"))
    return _olive.float_graph(model, _olive.model_builder(settings, "fp32"), "EdgekitHalfWeights")
