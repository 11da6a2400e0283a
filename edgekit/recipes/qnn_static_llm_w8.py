"""A small language model for the HTP: as qnn_static_llm, with int8 weights per channel, rounded to nearest.

One int4 scale a channel costs a model of a few hundred million parameters too much: SmolLM2-135M's mean KL is 0.28 with
GPTQ in 4 bits, 0.006 with 8.
"""

from __future__ import annotations

from typing import Any

from edgekit.model import Model
from edgekit.recipes import _olive, qnn_static_llm, quarot_gptq
from edgekit.target import LlmSettings

KIND = "llm"
PRECISION = "w8a16"
SUMMARY = "int8 per channel of a rotated model, uint16 activations, static graphs for the HTP"
CALIBRATED = True


def passes(model: Model, settings: LlmSettings) -> list[dict[str, Any]]:
    """QuaRot, rounding of every layer and both ends, then the static graphs."""
    rotated = qnn_static_llm.untied(model)
    blocks = settings.model_copy(update={"block_size": qnn_static_llm.ENDS_BLOCK})
    ends = _olive.ends(rotated, blocks, head=8, embeddings=8)
    layers = _olive.quantizer("Rtn", rotated, settings, bits=8, sym=True, group_size=-1, embeds=True, overrides=ends)
    return [quarot_gptq.rotation(model), layers, *qnn_static_llm.static(model, settings, bits=8)]


def files(model: Model, settings: LlmSettings) -> tuple[str, ...]:
    """As qnn_static_llm; twice the bytes may take more splits."""
    return qnn_static_llm.files(model, settings, bits=8)
