"""GPTQ in 4 and 8 bits, each matrix as a size allows: the closest to the source at its size.

What 4 and 8 bits in blocks of 32, 64 and 128 would cost is measured, not guessed: a backward pass over the calibration
text says it of every matrix, lm_head and embeddings too (passes/sensitivity.py), and what costs least in the size is
taken (passes/fit_size.py). The size is the settings' `size`, of the whole bundle, or else `average_bits` of a weight.
"""

from __future__ import annotations

from typing import Any

from edgekit.kinds.llm import LlmSettings
from edgekit.model import Model
from edgekit.recipes import _olive, _size

KIND = "llm"
PRECISION = "int4"
SUMMARY = "GPTQ in 4 and 8 bits, calibrated on text: where the source is measured to need them, as a size allows"
CALIBRATED = True
RUNGS = {place: {"average_bits": bits} for place, bits in enumerate((4.6, 5.0, 5.5, 6.5, 7.5, 8.2), start=3)}


def passes(model: Model, settings: LlmSettings) -> list[dict[str, Any]]:
    """Sensitivity, GPTQ, the embeddings (and what is tied to them), then the GenAI graph."""
    asked = _size.asked(settings)
    untied = model.llm is None or not model.llm.tied_embeddings
    layers = _olive.gptq(model, settings, lm_head=untied, overrides=asked)
    ends = _olive.quantizer("Rtn", model, settings, embeds=True, overrides=asked)
    return [_size.fit(model, settings), layers, ends, *_olive.finish(model, settings)]


def suits(model: Model) -> tuple[bool, str]:
    """Where GenAI's builder reads a quantized checkpoint."""
    return model.architecture not in _olive.FLOAT_ONLY, ""
