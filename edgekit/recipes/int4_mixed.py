"""int4 with int8 where a small model needs it: the default for language models.

A model loses most where its residual stream is written (o_proj, down_proj), where attention is formed (q, k, v) and at
both ends (embeddings, lm_head). Under half a billion parameters all of these keep 8 bits, and gate and up, half of the
weights of a layer, go to 4 in the first layers only: in SmolLM2 the mean KL is 0.077 with all of them in 4 bits, 0.050
with those of the first half of the layers in 8, 0.028 with those of the last half. From there on the embeddings and
lm_head keep 8 bits together with the layers that llama.cpp's K_M mixes keep (v and down of the first and last eighth
and of every third layer between).
"""

from __future__ import annotations

from typing import Any

from edgekit.kinds.llm import LlmSettings
from edgekit.model import SMALL, Model
from edgekit.recipes import _olive, _on_graph

KIND = "llm"
PRECISION = "int4"
SUMMARY = "int4 round-to-nearest with int8 for embeddings, lm_head and the sensitive layers"
CALIBRATED = False

LATE = 0.47  # of the layers, at the end: more would pass 0.55 of bf16's size
FUSED = ("self_attn.qkv_proj", "self_attn.o_proj", "mlp.down_proj")  # Phi-3 and Phi-4 name them so
FUSED_GATES = ("mlp.gate_up_proj",)
SEPARATE_GATES = ("mlp.gate_proj", "mlp.up_proj")
SEPARATE = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.down_proj")


def passes(model: Model, settings: LlmSettings) -> list[dict[str, Any]]:
    """Rtn with more bits where they count, then the GenAI graph."""
    if model.architecture in _on_graph.ARCHITECTURES:
        return _on_graph.round_to_nearest(model, settings, layers=4, ends=8, mixed=True)
    overrides = _olive.ends(model, settings, head=8, embeddings=8)
    if model.parameters >= SMALL or model.llm is None:
        mixed = {"type": "SelectiveMixedPrecision", "algorithm": "k_quant_mixed"}
        rtn = _olive.quantizer("Rtn", model, settings, embeds=True, overrides=overrides)
        return [mixed, rtn, *_olive.finish(model, settings)]
    eight = _olive.eight(model, settings)
    late = range(model.llm.layers - int(model.llm.layers * LATE), model.llm.layers)
    fused = model.architecture.startswith(("Phi3", "Phi4"))
    names, gates = (FUSED, FUSED_GATES) if fused else (SEPARATE, SEPARATE_GATES)
    overrides |= {f"model.layers.{layer}.{name}": eight for layer in range(model.llm.layers) for name in names}
    overrides |= {f"model.layers.{layer}.{name}": eight for layer in late for name in gates}
    rtn = _olive.quantizer("Rtn", model, settings, embeds=True, overrides=overrides)
    return [rtn, *_olive.finish(model, settings)]
