"""A language model as static graphs for the HTP: the passes that recipes of 4 and of 8 bits share."""

from __future__ import annotations

from typing import Any

from edgekit.contract import genai_config
from edgekit.kinds.llm import LlmSettings
from edgekit.model import Model
from edgekit.recipes import _olive, quarot_gptq

WINDOW = 64  # tokens of a prompt that a call takes, where the target does not say
SPLIT_BYTES = 512 * 2**20  # of weights in one context at most; more do not load on a phone
LEAST_SPLITS = 2
SURGEONS = ("RemoveRopeMultiCache", "AttentionMaskToSequenceLengths", "SimplifiedLayerNormToL2Norm")
HEADS = ["/lm_head/MatMul_Q4", "/lm_head/MatMul_Q8", "/lm_head/MatMulNBits"]  # as ModelBuilder may name it
ON_CPU = ["GatherBlockQuantized", "GroupQueryAttention", "MatMulNBits"]
ENDS_BLOCK = 64  # of the embeddings' and lm_head's weights
CALIBRATION = {"samples": 32, "tokens": 256}  # for the ranges of activations: every one of them is recorded


def chain(model: Model, settings: LlmSettings, *, bits: int) -> list[dict[str, Any]]:
    """The passes for layers of 4 or 8 bits."""
    rotated = untied(model)
    layers = _olive.gptq(rotated, settings, bits=bits, sym=True, group_size=-1)
    blocks = settings.model_copy(update={"block_size": ENDS_BLOCK})
    ends = _olive.quantize_ends(rotated, blocks, head=8, embeddings=8)
    return [quarot_gptq.rotation(model), layers, ends, *static(model, settings, bits=bits)]


def files(model: Model, *, bits: int) -> tuple[str, ...]:
    """What the chain leaves: the configuration, both ends, and each split for a window and for one token."""
    graphs = (f"{name}_{at}.onnx" for at in range(splits(model, bits)) for name in ("context", "iterator"))
    return (
        genai_config.NAME,
        "tokenizer.json",
        "tokenizer_config.json",
        "embeddings.onnx",
        "lm_head.onnx",
        *graphs,
    )


def splits(model: Model, bits: int) -> int:
    """Into how many contexts the layers go."""
    return max(LEAST_SPLITS, -(-model.parameters * bits // 8 // SPLIT_BYTES))


def untied(model: Model) -> Model:
    """The model after rotation: norms are folded into the weights behind them, so tied embeddings come apart."""
    if model.llm is None:
        return model
    return model.model_copy(update={"llm": model.llm.model_copy(update={"tied_embeddings": False})})


def static(model: Model, settings: LlmSettings, *, bits: int) -> list[dict[str, Any]]:
    """From a quantized checkpoint to static QDQ graphs."""
    text = _olive.calibration_text(settings)
    load = {**text["load_dataset_config"], "params": {**text["load_dataset_config"]["params"], **CALIBRATION}}
    data = {"save_as_external_data": True}
    return [
        {"type": "CaptureSplitInfo", "num_splits": splits(model, bits), "unique_embeds_lm_head_splits": True},
        _olive.model_builder(settings),
        {"type": "MatMulNBitsToQDQ", "use_signed_int": True, "add_zero_point": True, "nodes_to_exclude": HEADS, **data},
        {"type": "GraphSurgeries", "surgeries": [{"surgeon": name} for name in SURGEONS], **data},
        {
            "type": "EdgekitQnnQuantization",
            "data_config": {**text, "name": "calibration_ranges", "load_dataset_config": load},
            "activation_type": "uint16",
            "precision": "uint8",
            "op_types_to_exclude": ON_CPU,
            "quant_preprocess": True,
            "fuse": False,
            **data,
        },
        {"type": "SplitModel"},
        {"type": "StaticLLM", "batch_size": 1, "context_length": settings.window or WINDOW},
    ]
