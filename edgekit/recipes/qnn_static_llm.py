"""A language model for the HTP: int4 weights per channel, 16-bit activations, static graphs of 64 tokens and of one.

The residual stream is rotated (QuaRot) so that 16 bits hold its outliers, the layers are quantized by GPTQ with one
scale a channel (the HTP has no int4 blocks for this form), and the graph is cut into embeddings, layers and lm_head.
GroupQueryAttention stays on the CPU: each layer costs a round trip. Embeddings and lm_head stay there too, in 8 bits.
"""

from __future__ import annotations

from typing import Any

from edgekit.kinds.llm import LlmSettings
from edgekit.model import Model
from edgekit.recipes import _htp

KIND = "llm"
PRECISION = "w4a16"
SUMMARY = "int4 GPTQ per channel of a rotated model, uint16 activations, static graphs for the HTP"
CALIBRATED = True


def passes(model: Model, settings: LlmSettings) -> list[dict[str, Any]]:
    """QuaRot, GPTQ, both ends in 8 bits, then the static graphs."""
    return _htp.chain(model, settings, bits=4)


def files(model: Model, settings: LlmSettings) -> tuple[str, ...]:
    """See _htp.files."""
    return _htp.files(model, bits=4)
