"""A small language model for the HTP: as qnn_static_llm, with int8 weights per channel.

One int4 scale a channel costs a model of a few hundred million parameters too much: SmolLM2-135M's mean KL is 0.28 with
4 bits, 0.004 with 8 (0.007 without GPTQ, and 0.022 without the rotation).
"""

from __future__ import annotations

from typing import Any

from edgekit.kinds.llm import LlmSettings
from edgekit.model import Model
from edgekit.recipes import _htp

KIND = "llm"
PRECISION = "w8a16"
SUMMARY = "int8 GPTQ per channel of a rotated model, uint16 activations, static graphs for the HTP"
CALIBRATED = True


def passes(model: Model, settings: LlmSettings) -> list[dict[str, Any]]:
    """QuaRot, GPTQ, both ends, then the static graphs."""
    return _htp.chain(model, settings, bits=8)


def files(model: Model, settings: LlmSettings) -> tuple[str, ...]:
    """As qnn_static_llm; twice the bytes may take more splits."""
    return _htp.files(model, bits=8)
