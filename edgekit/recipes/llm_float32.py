"""A language model in float32: what float32 itself gives: the reference of every other recipe."""

from __future__ import annotations

from typing import Any

from edgekit.kinds.llm import LlmSettings
from edgekit.model import Model
from edgekit.recipes import _olive

KIND = "llm"
PRECISION = "float32"
SUMMARY = "float32, not quantized"
CALIBRATED = False


def passes(model: Model, settings: LlmSettings) -> list[dict[str, Any]]:
    """The GenAI graph."""
    return _olive.float_graph(model, _olive.model_builder(settings, "fp32"))
