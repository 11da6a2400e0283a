"""A language model in float16: half precision: twice int8's size, and as exact as most sources."""

from __future__ import annotations

from typing import Any

from edgekit.model import Model
from edgekit.recipes import _olive
from edgekit.target import LlmSettings

KIND = "llm"
PRECISION = "float16"
SUMMARY = "float16, not quantized"
CALIBRATED = False


def passes(model: Model, settings: LlmSettings) -> list[dict[str, Any]]:
    """The GenAI graph."""
    return [_olive.model_builder(settings, "fp16")]
