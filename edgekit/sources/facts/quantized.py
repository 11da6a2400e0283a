"""Checkpoints that somebody has quantized already: seen on opening, and refused with the way out.

The graph builder reads few of their formats, takes others for float or for another layout, and a model quantized twice
says nothing of the recipe. The float checkpoint that each was made from is what edgekit builds from.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edgekit.errors import SourceError
from edgekit.sources.facts.files import base_of, optional_json
from edgekit.sources.facts.safetensors import Weight

# Files in which quantizers write their settings beside config.json, and who does.
SETTINGS = {
    "quantize_config.json": "GPTQ",
    "quant_config.json": "AWQ",
    "hf_quant_config.json": "ModelOpt",
    "quant_strategy.json": "a quantizer",
    "quantization_map.json": "quanto",
}
KEYS = ("quantization_config", "compression_config", "quantization")
# Last parts of the names of tensors that only quantized layers have.
PARTS = {
    "qweight": "GPTQ or AWQ",
    "qzeros": "GPTQ or AWQ",
    "g_idx": "GPTQ",
    "weight_packed": "compressed-tensors",
    "weight_scale": "compressed-tensors or float8",
    "weight_scale_inv": "float8",
    "absmax": "bitsandbytes",
    "quant_map": "bitsandbytes",
    "SCB": "bitsandbytes",
    "weight_scales": "EETQ",
    "_data": "quanto",
    "biases": "MLX",
    "trellis": "EXL3",
    "q_weight": "EXL2",
    "W_q": "HQQ",
    "codebooks": "AQLM",
    "_weight_qdata": "torchao",
    "gate_up_proj_blocks": "mxfp4",
    "down_proj_blocks": "mxfp4",
    "scales": "a quantizer",
}
INTEGERS = ("I8", "U8", "I16", "U16", "I32", "U32", "I64", "U64", "F4", "F8_E4M3", "F8_E5M2", "F8_E8M0")
NEXT = "give the float checkpoint that it was made from (float32, float16 or bfloat16 weights)"


def refuse(folder: Path, config: Mapping[str, Any], weights: Mapping[str, Weight] = MappingProxyType({})) -> None:
    """Go on with float weights; without `weights`, as far as the configuration and what lies beside it tell.

    Raises:
        SourceError: the configuration, a file beside it, or the weights themselves say that they are quantized.
    """
    why = _stated(config) or _beside(folder) or _seen(weights)
    if why:
        base = base_of(folder)
        raise SourceError(
            f"the model is already quantized: {why}", next=NEXT + f"; its README names hf:{base}" * bool(base)
        )


def _stated(config: Mapping[str, Any]) -> str:
    for key in KEYS:
        stated = config.get(key)
        if isinstance(stated, str) and stated:
            return f"config.json names {stated[:40]}"
        if isinstance(stated, dict) and stated:
            named = (stated.get(name) for name in ("quant_method", "quant_algo", "format"))
            method = next((one for one in named if one), "a method of its own")
            bits = stated.get("bits") or stated.get("w_bit") or (4 if stated.get("load_in_4bit") else None)
            return f"config.json names {str(method)[:40]}" + (f", {bits} bits" if type(bits) is int else "")
    return ""


def _beside(folder: Path) -> str:
    for name, method in SETTINGS.items():
        if optional_json(folder / name):
            return f"{name} is there ({method})"
    return ""


def _seen(weights: Mapping[str, Weight]) -> str:
    for name, weight in weights.items():
        part = name.rpartition(".")[2]
        if part in PARTS:
            return f"the weights hold {name[:100]} ({PARTS[part]})"
        if part == "weight" and weight.dtype in INTEGERS:
            return f"{name[:100]} is {weight.dtype}"
    return ""
