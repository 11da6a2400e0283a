"""int4 GPTQ with 8 bits for the layers that need them most: the closest to the source at the size of a K_M mix.

Which layers is measured, not guessed: a backward pass over the calibration text says what 4 bits would cost in each
(passes/sensitivity.py), and the settings' keep_share of the layers' weights, the costliest first, keep 8. lm_head keeps
8 bits too; the embeddings, whose error is small beside all others, get 4.
"""

from __future__ import annotations

from typing import Any

from edgekit.kinds.llm import LlmSettings
from edgekit.model import Model
from edgekit.recipes import _olive

KIND = "llm"
PRECISION = "int4"
SUMMARY = "int4 GPTQ, calibrated on text; 8 bits where the source is measured to need them, and for lm_head"
CALIBRATED = True
RUNGS = {3: {"keep_share": 0.0}, 4: {"keep_share": 0.1}, 5: {"keep_share": 0.25}, 6: {"keep_share": 0.5}}


def passes(model: Model, settings: LlmSettings) -> list[dict[str, Any]]:
    """Sensitivity, GPTQ, both ends, then the GenAI graph."""
    ends = _olive.quantize_ends(model, settings, head=8, embeddings=4)
    return [_olive.keep_bits(model, settings), _olive.gptq(model, settings), ends, *_olive.finish(model, settings)]
