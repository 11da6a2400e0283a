"""Which tensors a plain decoder has, by the names that its class in transformers 4.57 reads.

transformers makes up what a checkpoint lacks (norms of ones, biases of zeros, random matrices) and passes over what it
does not know, in the graph's source and in the reference alike: no comparison of the two would show it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from edgekit.errors import SourceError
from edgekit.sources.facts.files import AGAIN

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
INNER = ("gate_proj", "up_proj", "down_proj")
SPLIT = tuple(f"self_attn.{name}.weight" for name in ATTENTION) + tuple(f"mlp.{name}.weight" for name in INNER)
FUSED = tuple(
    f"{name}.weight" for name in ("self_attn.qkv_proj", "self_attn.o_proj", "mlp.gate_up_proj", "mlp.down_proj")
)
TWO = ("input_layernorm.weight", "post_attention_layernorm.weight")
FOUR = (*TWO, "pre_feedforward_layernorm.weight", "post_feedforward_layernorm.weight")
HEADS = ("self_attn.q_norm.weight", "self_attn.k_norm.weight")
BIASES = ("self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias")
PARTS = {  # model_type -> what each layer has
    "llama": (*SPLIT, *TWO),
    "mistral": (*SPLIT, *TWO),
    "phi3": (*FUSED, *TWO),
    "qwen2": (*SPLIT, *TWO, *BIASES),
    "qwen3": (*SPLIT, *TWO, *HEADS),
    "gemma": (*SPLIT, *TWO),
    "gemma2": (*SPLIT, *FOUR),
    "gemma3_text": (*SPLIT, *FOUR, *HEADS),
    "granite": (*SPLIT, *TWO),
    "smollm3": (*SPLIT, *TWO),
    "olmo2": (*SPLIT, TWO[1], FOUR[3], *HEADS),
}
BIASED = {  # a key of config.json -> the matrices that have biases with it, in a class that knows it
    "attention_bias": (
        ("llama", "qwen3", "gemma", "gemma2", "gemma3_text", "granite", "smollm3", "olmo2"),
        "self_attn",
        ATTENTION,
    ),
    "mlp_bias": (("llama", "granite", "smollm3"), "mlp", INNER),
}
LAYER = re.compile(r"layers\.(\d+)\.(.+)")
COMPUTED = ("rotary_emb.inv_freq", "masked_bias", "self_attn.bias")  # of older releases: follows from the configuration


def check(config: Mapping[str, Any], layers: int, names: Iterable[str]) -> None:
    """Refuse a plain decoder whose weights are not those of its class.

    Raises:
        SourceError: one is missing, or a layer has one that the class has no place for.
    """
    kind = str(config.get("model_type"))
    if kind not in PARTS:
        return
    named, plain = config["architectures"][0], _plain(kind, names)
    if adapted := next((full for full in plain.values() if ".lora_" in full or ".base_layer." in full), ""):
        raise SourceError(
            f"the weights hold an adapter beside the matrices that it changes ({adapted[:100]})",
            next="give the plain checkpoint, and what PEFT saved of the adapter with --adapter NAME=FOLDER",
        )
    needed = wanted(config, layers)
    if missing := sorted(needed - set(plain)):
        another = next((full for name, full in plain.items() if name.endswith(missing[0]) and name != missing[0]), "")
        also = f"; {another} has another place" if another else ""
        place = re.fullmatch(LAYER, missing[0])
        what = f"layer {place[1]} lacks the weight {place[2]!r}" if place else f"the weights lack model.{missing[0]}"
        raise SourceError(f"{what}, which {named} needs{also}", next=AGAIN)
    strange = [full for name, full in plain.items() if _layer(name) and name not in needed]
    if strange:
        raise SourceError(
            f"the weights hold {strange[0][:100]}, which {named} has no place for: transformers would pass over it",
            next="give the float checkpoint that config.json is of",
        )


def wanted(config: Mapping[str, Any], layers: int) -> set[str]:
    """The names of a plain decoder's weights below "model.", but for its head."""
    parts = _parts(config, str(config["model_type"]))
    return {"embed_tokens.weight", "norm.weight"} | {f"layers.{at}.{part}" for at in range(layers) for part in parts}


def _parts(config: Mapping[str, Any], kind: str) -> set[str]:
    parts = set(PARTS[kind])
    for key, (kinds, part, matrices) in BIASED.items():
        if kind in kinds and config.get(key):
            parts |= {f"{part}.{matrix}.bias" for matrix in matrices}
    return parts


def _plain(kind: str, names: Iterable[str]) -> dict[str, str]:
    """Names as the class's own decoder has them ("layers.0..."), and as they are written."""
    plainly = {}
    for name in names:
        plain = name.removeprefix("language_model.") if kind == "gemma3_text" else name
        plain = plain.removeprefix("model.")
        if not plain.endswith(COMPUTED):
            plainly[plain] = name
    return plainly


def _layer(name: str) -> bool:
    return LAYER.search(name) is not None
