"""Recipes of decoders that are quantized in their graph: float graph first, then its matrices, by node.

GenAI's graph builder reads a quantized checkpoint by the names of Llama's parts; PhiForCausalLM (Phi-1, 1.5, 2) has
others (dense, fc1, fc2, final_layernorm), and is read in float alone. The blocks and their rounding are the same.
"""

from __future__ import annotations

from typing import Any

from edgekit.kinds.llm import LlmSettings
from edgekit.model import SMALL, Model
from edgekit.recipes import _olive

Passes = list[dict[str, Any]]
ARCHITECTURES = ("PhiForCausalLM",)
HEAD, EMBEDDINGS = "/lm_head/MatMul", "/model/embed_tokens/Gather"
QKV = ("attn/qkv_proj", "attn/q_proj", "attn/k_proj", "attn/v_proj")  # one matrix, or three where a provider needs them
LAYERS = (*QKV, "attn/o_proj", "mlp/fc1", "mlp/fc2")
MORE = (*QKV, "mlp/fc2")  # what llama.cpp's K_M mixes give more bits in the layers that they choose
MORE_SMALL = (*QKV, "attn/o_proj", "mlp/fc2")  # in every layer of a small model, as int4_mixed explains


def round_to_nearest(model: Model, settings: LlmSettings, *, layers: int, ends: int, mixed: bool = False) -> Passes:
    """The float graph, then rounded: bits of the layers, of both ends, and with `mixed` 8 where they count."""
    bits = dict.fromkeys(_layers(model), layers)
    if mixed:
        bits |= dict.fromkeys(sensitive(model), 8)
    bits |= _ends(settings, ends)
    passes = [float_graph(model, settings)]
    for count in sorted(set(bits.values())):
        nodes = [name for name, of in bits.items() if of == count]
        passes.append(rounded(model, settings, count, nodes))
    return [*passes, finish(model)]


def searched(model: Model, settings: LlmSettings, *, bits: int) -> Passes:
    """The float graph, then k-quant; embeddings, which it leaves alone, are rounded."""
    ends = _ends(settings, bits)
    of_matrices = {
        "type": "OnnxKQuantQuantization",
        "bits": bits,
        "block_size": _block(settings, model, bits),
        "accuracy_level": settings.accuracy_level,
        "customized_weight_config": {HEAD: {"bits": ends[HEAD], "group_size": _block(settings, model, ends[HEAD])}},
        **_olive.ONE_FILE,
    }
    of_embeddings = [rounded(model, settings, ends[name], [name]) for name in ends if name == EMBEDDINGS]
    return [float_graph(model, settings), of_matrices, *of_embeddings, finish(model)]


def sensitive(model: Model) -> list[str]:
    """The nodes that keep 8 bits: those of every layer of a small model, else those of K_M's layers."""
    count = model.llm.layers if model.llm else 0
    if model.parameters < SMALL:
        return [f"/model/layers.{at}/{part}/MatMul" for at in range(count) for part in MORE_SMALL]
    first, last = count // 8, 7 * count // 8
    chosen = [at for at in range(count) if at < first or at >= last or (at - first) % 3 == 2]
    return [f"/model/layers.{at}/{part}/MatMul" for at in chosen for part in MORE]


def float_graph(model: Model, settings: LlmSettings) -> dict[str, Any]:
    """The builder's graph in the precision that the provider computes in, not quantized."""
    half = _olive.own_graph(settings) and settings.activation_bits == 16
    return _olive.model_builder(settings, "fp16" if half else "fp32")


def rounded(model: Model, settings: LlmSettings, bits: int, nodes: list[str]) -> dict[str, Any]:
    """A pass that rounds the weights of these nodes."""
    return {
        "type": "OnnxBlockWiseRtnQuantization",
        "bits": bits,
        "block_size": _block(settings, model, bits),
        "is_symmetric": settings.symmetric,
        "accuracy_level": settings.accuracy_level,
        "nodes_to_include": nodes,
        **_olive.ONE_FILE,
    }


def finish(model: Model) -> dict[str, Any]:
    """Scales in half precision, and what the builder gets wrong of the graph put right."""
    return _olive.surgery("EdgekitHalfScales", *_olive.repairs(model))


def _block(settings: LlmSettings, model: Model, bits: int) -> int:
    """Weights per scale; 32 where the settings ask for one scale a channel, which MatMulNBits does not have."""
    sized = settings if settings.block_size > 0 else settings.model_copy(update={"block_size": 32})
    return _olive.block(sized, model, bits)


def _layers(model: Model) -> list[str]:
    count = model.llm.layers if model.llm else 0
    return [f"/model/layers.{at}/{part}/MatMul" for at in range(count) for part in LAYERS]


def _ends(settings: LlmSettings, bits: int) -> dict[str, int]:
    """Bits of lm_head and of the embeddings: the settings', else the recipe's; none for embeddings left in 16 bits."""
    ends = {HEAD: settings.lm_head_bits or bits, EMBEDDINGS: settings.embedding_bits or bits}
    return {name: of for name, of in ends.items() if of != _olive.UNQUANTIZED}
