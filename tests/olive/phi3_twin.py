"""A plain Llama checkpoint as a Phi3ForCausalLM one that computes the same.

Phi-3 is Llama with query, key and value fused into one matrix and gate and up into another: real Llama weights exercise
the real Phi-3 code where no Phi weights can be had. It is not a Phi model.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

FUSED = {"self_attn.qkv_proj": ("q_proj", "k_proj", "v_proj"), "mlp.gate_up_proj": ("gate_proj", "up_proj")}
TOKENIZER = ("generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
# Sizes and ids that mean the same in both configurations.
SHARED = (
    *("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
    *("num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "rope_theta", "tie_word_embeddings"),
    *("bos_token_id", "eos_token_id", "pad_token_id", "hidden_act"),
)


def make(source: Path, out: Path) -> Path:
    """Fill `out` with the twin of the folder `source`: a Llama without biases, scaled rope or odd heads."""
    import transformers

    hf: Any = transformers  # its types are no help
    llama = hf.AutoModelForCausalLM.from_pretrained(str(source), dtype="auto", local_files_only=True).eval()
    config = llama.config
    assert config.model_type == "llama" and not config.rope_scaling and not config.attention_bias
    shared = {name: getattr(config, name) for name in SHARED}
    length = config.max_position_embeddings
    wanted = hf.Phi3Config(**shared, original_max_position_embeddings=length, sliding_window=None)
    phi = hf.Phi3ForCausalLM(wanted).to(llama.dtype).eval()
    missing, unexpected = phi.load_state_dict(fused(llama.state_dict(), config.num_hidden_layers), strict=False)
    assert not missing and not unexpected
    phi.save_pretrained(str(out))
    for name in (*TOKENIZER, "chat_template.jinja"):
        if (source / name).is_file():
            shutil.copyfile(source / name, out / name)
    return out


def fused(state: dict[str, Any], layers: int) -> dict[str, Any]:
    """The Phi-3 model's state: parts concatenated by rows in FUSED's order, the rest as it was."""
    import torch

    parts = {part for names in FUSED.values() for part in names}
    whole = {name: value for name, value in state.items() if name.split(".")[-2] not in parts}
    for layer in range(layers):
        for fusion, names in FUSED.items():
            block = f"model.layers.{layer}.{fusion.partition('.')[0]}"
            rows = [state[f"{block}.{name}.weight"] for name in names]
            whole[f"model.layers.{layer}.{fusion}.weight"] = torch.cat(rows)
    return whole
