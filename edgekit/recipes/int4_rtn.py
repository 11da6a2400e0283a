"""int4 round-to-nearest, everything in 4 bits: the smallest bundle and the quickest build."""

from __future__ import annotations

from typing import Any

from edgekit.model import Model
from edgekit.recipes import _olive
from edgekit.target import LlmSettings

KIND = "llm"
PRECISION = "int4"
SUMMARY = "int4 round-to-nearest of every linear layer, lm_head and embeddings: the smallest"
CALIBRATED = False


def passes(model: Model, settings: LlmSettings) -> list[dict[str, Any]]:
    """Rtn, then the GenAI graph."""
    overrides = _olive.ends(model, settings, head=4, embeddings=4)
    rtn = _olive.quantizer("Rtn", model, settings, embeds=True, overrides=overrides)
    return [rtn, *_olive.finish(model, settings)]
