"""int4 with int8 where a small model needs it: the default for language models.

A model loses most where its residual stream is written (o_proj, down_proj), where attention is formed (q, k, v) and at
both ends (embeddings, lm_head). Under half a billion parameters all of these keep 8 bits and only gate and up, half of
the weights of a layer, go to 4. From there on the embeddings and lm_head keep 8 bits together with the layers that
llama.cpp's K_M mixes keep (v and down of the first and last eighth and of every third layer between).
"""

from __future__ import annotations

from typing import Any

from edgekit.model import Model
from edgekit.recipes import _olive
from edgekit.target import LlmSettings

KIND = "llm"
PRECISION = "int4"
SUMMARY = "int4 round-to-nearest with int8 for embeddings, lm_head and the sensitive layers"
CALIBRATED = False

SMALL = 500_000_000  # parameters; the border of the quality limits for small models
EIGHT = {"bits": 8}
FUSED = ("self_attn.qkv_proj", "self_attn.o_proj", "mlp.down_proj")  # Phi-3 and Phi-4 name them so
SEPARATE = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.down_proj")


def passes(model: Model, settings: LlmSettings) -> list[dict[str, Any]]:
    """Rtn with more bits where they count, then the GenAI graph."""
    if model.parameters >= SMALL or model.llm is None:
        mixed = {"type": "SelectiveMixedPrecision", "algorithm": "k_quant_mixed"}
        return [mixed, _olive.rtn(settings, {}), *_olive.finish(model, settings)]
    names = FUSED if model.architecture.startswith(("Phi3", "Phi4")) else SEPARATE
    overrides = {f"model.layers.{layer}.{name}": EIGHT for layer in range(model.llm.layers) for name in names}
    overrides |= dict.fromkeys(_olive.EMBEDDINGS, EIGHT)
    return [_olive.rtn(settings, overrides), *_olive.finish(model, settings)]
