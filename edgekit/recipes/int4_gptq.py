"""int4 GPTQ: each layer's rounding errors are corrected in the weights still to come, by what calibration text shows.

Embeddings and lm_head keep 8 bits: GPTQ has nothing to correct them by.
"""

from __future__ import annotations

from typing import Any

from edgekit.kinds.llm import LlmSettings
from edgekit.model import Model
from edgekit.recipes import _olive

KIND = "llm"
PRECISION = "int4"
SUMMARY = "int4 GPTQ of the layers, calibrated on text; int8 embeddings and lm_head"
CALIBRATED = True


def passes(model: Model, settings: LlmSettings) -> list[dict[str, Any]]:
    """GPTQ, then both ends, then the GenAI graph."""
    ends = _olive.quantize_ends(model, settings, head=8, embeddings=8)
    return [_olive.gptq(model, settings), ends, *_olive.finish(model, settings)]
