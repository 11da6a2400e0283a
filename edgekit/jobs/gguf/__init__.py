"""Turn a GGUF file into the Hugging Face folder it was made from, and lose nothing on the way.

Every tensor of the file is accounted for and every number of the configuration is taken from the file.
transformers' own GGUF loader drops what it does not know: Llama 3's rope factors, Phi-3's long factors,
sliding window and partial rotation, biases. Here an unknown tensor, a missing one or a wrong shape is an
error before anything is written. Weights are streamed row by row, in constant memory.
Sources: gguf.constants and gguf.tensor_mapping for names, llama.cpp conversion/llama.py and phi.py for what
is permuted and which rope tensors are derived, transformers modeling_rope_utils.py for their formulas.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit.errors import SourceError
from edgekit.jobs.gguf import rope
from edgekit.jobs.gguf import tokenizer as gguf_tokenizer
from edgekit.jobs.gguf import weights as gguf_weights
from edgekit.jobs.gguf.file import CHECKPOINT, Gguf, float32, read, size
from edgekit.jobs.gguf.weights import Weight
from edgekit.model import MAX_LAYERS

# Parts of a block, GGUF name -> Hugging Face name and shape; the letters are resolved by _sizes().
_COMMON = {
    "attn_norm.weight": ("input_layernorm.weight", "H"),
    "attn_output.weight": ("self_attn.o_proj.weight", "HQ"),
    "ffn_norm.weight": ("post_attention_layernorm.weight", "H"),
    "ffn_down.weight": ("mlp.down_proj.weight", "HI"),
}
_LLAMA = _COMMON | {
    "attn_q.weight": ("self_attn.q_proj.weight", "QH"),
    "attn_k.weight": ("self_attn.k_proj.weight", "KH"),
    "attn_v.weight": ("self_attn.v_proj.weight", "KH"),
    "ffn_gate.weight": ("mlp.gate_proj.weight", "IH"),
    "ffn_up.weight": ("mlp.up_proj.weight", "IH"),
}
_QWEN2 = _LLAMA | {
    "attn_q.bias": ("self_attn.q_proj.bias", "Q"),
    "attn_k.bias": ("self_attn.k_proj.bias", "K"),
    "attn_v.bias": ("self_attn.v_proj.bias", "K"),
}
_QWEN3 = _LLAMA | {
    "attn_q_norm.weight": ("self_attn.q_norm.weight", "D"),
    "attn_k_norm.weight": ("self_attn.k_norm.weight", "D"),
}
_PHI3 = _COMMON | {
    "attn_qkv.weight": ("self_attn.qkv_proj.weight", "FH"),
    "ffn_up.weight": ("mlp.gate_up_proj.weight", "JH"),
}
_GEMMA3 = _QWEN3 | {
    "post_attention_norm.weight": ("post_attention_layernorm.weight", "H"),
    "ffn_norm.weight": ("pre_feedforward_layernorm.weight", "H"),
    "post_ffw_norm.weight": ("post_feedforward_layernorm.weight", "H"),
}
# general.architecture -> (class in transformers, parts of a block)
ARCHITECTURES = {
    "gemma3": ("Gemma3ForCausalLM", _GEMMA3),
    "llama": ("LlamaForCausalLM", _LLAMA),
    "phi3": ("Phi3ForCausalLM", _PHI3),
    "qwen2": ("Qwen2ForCausalLM", _QWEN2),
    "qwen3": ("Qwen3ForCausalLM", _QWEN3),
}
# general.type of what is no model -> what it is, and what to do
_NO_MODELS = {
    "adapter": (
        "an adapter (LoRA)",
        "merge it into its model (llama-export-lora), or into the checkpoint, and give that",
    ),
    "mmproj": ("the part of a model that reads pictures or sound", "give the file of the language model"),
    "imatrix": ("a table of what matters to a quantizer", "give the model's own file"),
}
# Keys that change what the network computes and that none of the classes above can express.
_CHANGES = (
    "attention.scale",
    "logit_scale",
    "embedding_scale",
    "residual_scale",
    "attention.clamp_kqv",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "pooling_type",
)
_GEMMA3_PATTERN = 6  # every sixth layer of Gemma 3 looks at all that came before; ModelBuilder knows no other
_GEMMA3_27B = 62  # layers; only this size scales its queries by hidden / heads instead of the head's size


def convert(gguf: Path, out: Path, on_event: Callable[[str], None] = lambda s: None) -> dict[str, object]:
    """Write the Hugging Face folder `out` (made if missing) for the GGUF file `gguf`.

    Returns: architecture, model_type, dtype, parameters, bf16_bytes (the size the source would have in
        bfloat16: the base that compressed sizes are compared with), bytes (weights as written), source_types
        (tensors by GGUF type), eos_token_ids, pre_tokenizer, files (names).

    Raises:
        SourceError: not a GGUF, damaged, or a model or tokenizer that is not known to come out right.
        OSError: `out` cannot be written.
    """
    file, weights, documents = described(gguf, on_event)
    config, arch = documents["config.json"], file.text("general.architecture")
    dtype = config["torch_dtype"]
    out.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        indent = None if name == "tokenizer.json" else 2
        text = json.dumps(document, ensure_ascii=False, indent=indent) + "\n"
        (out / name).write_text(text, encoding="utf-8", newline="\n")
    names = gguf_weights.write(file, weights, dtype, out, on_event)
    parameters = sum(math.prod(weight.tensor.shape) for weight in weights)
    return {
        "architecture": arch,
        "model_type": config["model_type"],
        "dtype": dtype,
        "parameters": parameters,
        "bf16_bytes": 2 * parameters,
        "bytes": gguf_weights.ITEM_BYTES[dtype] * parameters,
        "source_types": dict(Counter(weight.tensor.type_name for weight in weights)),
        "eos_token_ids": gguf_tokenizer.end_ids(file),
        "pre_tokenizer": str(file.metadata.get("tokenizer.ggml.pre", "")),
        "files": sorted([*documents, *names]),
    }


def described(gguf: Path, on_event: Callable[[str], None]) -> tuple[Gguf, list[Weight], dict[str, dict[str, Any]]]:
    """The header, what is to become of each tensor, and the folder's documents by name; the matrices are not read.

    Raises:
        SourceError: as convert does, but for what only the weights' values show.
    """
    file = read(gguf)
    arch = _architecture(file)
    config = _config(file, arch)
    weights = _weights(file, arch, config)
    config["torch_dtype"] = gguf_weights.dtype(file, weights)
    on_event("rebuilding the tokenizer")
    documents = gguf_tokenizer.build(file, config["max_position_embeddings"])
    return file, weights, documents | {"config.json": config, "generation_config.json": _generation_config(file)}


def _architecture(file: Gguf) -> str:
    arch = file.text("general.architecture", "")
    if kind := _NO_MODELS.get(str(file.metadata.get("general.type", "model"))):
        raise SourceError(f"{file.path.name} is {kind[0]}, no model", next=kind[1])
    if not file.tensors:
        raise SourceError(f"{file.path.name} holds a vocabulary and no weights", next="give the model's own file")
    if arch not in ARCHITECTURES:
        raise SourceError(
            f"{file.path.name}: the architecture {arch[:40]!r} is not supported, only {', '.join(ARCHITECTURES)} are",
            next=f"{CHECKPOINT}: which of these can be built is in docs/models.md",
        )
    changed = [key for key in _CHANGES if f"{arch}.{key}" in file.metadata]
    if file.metadata.get(f"{arch}.expert_count"):
        changed.append("expert_count")
    if changed:
        raise SourceError(f"{file.path.name}: {arch}.{changed[0]} is not supported", next=CHECKPOINT)
    return arch


def _config(file: Gguf, arch: str) -> dict[str, Any]:
    """config.json: every field that changes the network is written, none is left to a class default."""
    heads = size(file, f"{arch}.attention.head_count")
    hidden = size(file, f"{arch}.embedding_length")
    head_dim = size(file, f"{arch}.attention.key_length", hidden // heads)
    if file.integer(f"{arch}.attention.value_length", head_dim) != head_dim:
        raise SourceError(f"{file.path.name}: keys and values of different length are not supported", next=CHECKPOINT)
    embedding = file.tensors.get("token_embd.weight")
    if embedding is None:
        raise file.bad("the tensor 'token_embd.weight' is missing")
    config = {
        "architectures": [ARCHITECTURES[arch][0]],
        "model_type": arch,
        "vocab_size": embedding.shape[0],  # may exceed the number of tokens: rows are padded
        "hidden_size": hidden,
        "intermediate_size": size(file, f"{arch}.feed_forward_length"),
        "num_hidden_layers": size(file, f"{arch}.block_count", most=MAX_LAYERS),
        "num_attention_heads": heads,
        "num_key_value_heads": size(file, f"{arch}.attention.head_count_kv", heads),
        "head_dim": head_dim,
        "hidden_act": "silu",
        "rms_norm_eps": float32(file.number(f"{arch}.attention.layer_norm_rms_epsilon")),
        "max_position_embeddings": size(file, f"{arch}.context_length"),
        "tie_word_embeddings": "output.weight" not in file.tensors,
        "attention_dropout": 0.0,
        "use_cache": True,
        **rope.settings(file, arch, head_dim),
        "bos_token_id": gguf_tokenizer.special_id(file, "bos"),
        "eos_token_id": gguf_tokenizer.special_id(file, "eos"),
        "pad_token_id": gguf_tokenizer.special_id(file, "padding"),
    }
    return _gemma3(file, config) if arch == "gemma3" else config


def _gemma3(file: Gguf, config: dict[str, Any]) -> dict[str, Any]:
    """What Gemma 3 has besides: local layers with a window and a rope base of their own, scaled queries.

    Source: llama.cpp conversion/gemma.py and load_arch_hparams, transformers configuration_gemma3.py.
    """
    layers, heads, head_dim = config["num_hidden_layers"], config["num_attention_heads"], config["head_dim"]
    pattern = file.metadata.get("gemma3.attention.sliding_window_pattern", _GEMMA3_PATTERN)
    window = file.integer("gemma3.attention.sliding_window", 0)
    if pattern != _GEMMA3_PATTERN or window <= 0:
        raise SourceError(f"{file.path.name}: its pattern of local layers is not Gemma 3's", next=CHECKPOINT)
    kinds = ["full_attention" if (n + 1) % _GEMMA3_PATTERN == 0 else "sliding_attention" for n in range(layers)]
    del config["hidden_act"]
    return config | {
        "model_type": "gemma3_text",
        "hidden_activation": "gelu_pytorch_tanh",
        "query_pre_attn_scalar": config["hidden_size"] // heads if layers == _GEMMA3_27B else head_dim,
        "sliding_window": window,
        "layer_types": kinds,
        "rope_local_base_freq": float32(file.number("gemma3.rope.freq_base_swa", 10000.0)),
        "attn_logit_softcapping": None,
        "final_logit_softcapping": None,
    }


def _generation_config(file: Gguf) -> dict[str, Any]:
    special = {
        "bos_token_id": gguf_tokenizer.special_id(file, "bos"),
        "eos_token_id": gguf_tokenizer.end_ids(file) or None,
        "pad_token_id": gguf_tokenizer.special_id(file, "padding"),
    }
    return {name: value for name, value in special.items() if value is not None}


def _weights(file: Gguf, arch: str, config: dict[str, Any]) -> list[Weight]:
    """Every tensor of the file under its Hugging Face name, in the file's order; none missing, none left."""
    parts = ARCHITECTURES[arch][1]
    layers = config["num_hidden_layers"]
    if layers * len(parts) > len(file.tensors):
        raise file.bad(f"it claims {layers} layers, more than its {len(file.tensors)} tensors make")
    sizes = _sizes(config)
    wanted = {
        "token_embd.weight": ("model.embed_tokens.weight", "VH"),
        "output_norm.weight": ("model.norm.weight", "H"),
    }
    if not config["tie_word_embeddings"]:
        wanted["output.weight"] = ("lm_head.weight", "VH")
    for n in range(layers):
        wanted |= {f"blk.{n}.{part}": (f"model.layers.{n}.{name}", dims) for part, (name, dims) in parts.items()}
    if missing := [name for name in wanted if name not in file.tensors]:
        raise file.bad(f"the tensor {missing[0]!r} is missing")
    weights = []
    for name, tensor in file.tensors.items():
        if name in rope.TENSORS:
            continue
        if name not in wanted:
            raise SourceError(f"{file.path.name}: the tensor {name!r} is not known for {arch}", next=CHECKPOINT)
        target, dims = wanted[name]
        if tensor.shape != tuple(sizes[letter] for letter in dims):
            raise file.bad(f"tensor {name!r} has the shape {list(tensor.shape)}, not {[sizes[x] for x in dims]}")
        gguf_weights.check_type(file, tensor)
        # llama.cpp stores Gemma's norms as what they multiply with, transformers without the 1.
        shift = 1.0 if arch == "gemma3" and name.endswith("norm.weight") else 0.0
        weights.append(Weight(target, tensor, _permuted_heads(arch, name, config), shift))
    return weights


def _sizes(config: dict[str, Any]) -> dict[str, int]:
    """The letters of the shape tables; J is gate and up together, F is queries, keys and values."""
    dim = config["head_dim"]
    queries, keys = config["num_attention_heads"] * dim, config["num_key_value_heads"] * dim
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    return {
        "V": config["vocab_size"],
        "H": hidden,
        "I": inner,
        "J": 2 * inner,
        "Q": queries,
        "K": keys,
        "F": queries + 2 * keys,
        "D": dim,
    }


def _permuted_heads(arch: str, name: str, config: dict[str, Any]) -> int:
    """In how many heads llama.cpp interleaved this tensor's rows (0: not at all): q and k of "llama"."""
    if arch != "llama":
        return 0
    heads: dict[str, int] = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    return heads.get(name.split(".")[-2], 0)
