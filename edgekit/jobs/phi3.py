"""The phi3 job: a Llama checkpoint becomes a Phi3 one that computes the same.

Phi-3 is Llama with query, key and value fused into one matrix and gate and up into another: real Llama
weights exercise the real Phi-3 code where no Phi weights can be had.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit.errors import BuildError, SourceError

FUSED = {"self_attn.qkv_proj": ("q_proj", "k_proj", "v_proj"), "mlp.gate_up_proj": ("gate_proj", "up_proj")}
COPIED = (
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)
# Sizes and ids that mean the same in both configurations.
SHARED = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "max_position_embeddings",
    "rms_norm_eps",
    "rope_theta",
    "tie_word_embeddings",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "hidden_act",
)
TOLERANCE = 1e-3  # of a logit; the products are the same, only their blocking may differ


def convert(source: Path, out: Path, on_event: Callable[[str], None]) -> dict[str, Any]:
    """Fill `out` with a Phi3ForCausalLM folder for the LlamaForCausalLM folder `source`.

    Returns: max_difference (largest absolute difference of any logit, in float32), files.

    Raises:
        SourceError: not a Llama, or one with parts that Phi-3 has no place for.
        BuildError: the logits differ.
    """
    on_event("loading torch")
    import torch
    import transformers

    hf: Any = transformers  # its types are no help
    llama = hf.AutoModelForCausalLM.from_pretrained(str(source), dtype="auto", local_files_only=True).eval()
    config = llama.config
    _suits(config)
    shared = {name: getattr(config, name) for name in SHARED}
    length = config.max_position_embeddings
    wanted = hf.Phi3Config(**shared, original_max_position_embeddings=length, sliding_window=None)
    phi = hf.Phi3ForCausalLM(wanted).to(llama.dtype).eval()
    on_event("fusing the projections")
    missing, unexpected = phi.load_state_dict(_fused(llama.state_dict(), config.num_hidden_layers), strict=False)
    if missing or unexpected:
        raise SourceError(f"weights without a place in Phi-3: {[*missing, *unexpected][:3]}", next="give a plain Llama")
    phi.save_pretrained(str(out))
    for name in COPIED:
        if (source / name).is_file():
            shutil.copyfile(source / name, out / name)
    on_event("comparing the logits")
    ids = torch.randint(0, config.vocab_size, (1, 64), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        difference = (llama.float()(ids).logits - phi.float()(ids).logits).abs().max().item()
    if not difference <= TOLERANCE:
        raise BuildError(f"the repacked model's logits differ by {difference:.3g}", next="report this as a bug")
    return {"max_difference": difference, "files": sorted(one.name for one in out.iterdir())}


def _suits(config: Any) -> None:
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    odd = [
        what
        for what, found in (
            (f"it is {config.model_type}", config.model_type != "llama"),
            ("it scales rope", bool(getattr(config, "rope_scaling", None))),
            ("it has biases", getattr(config, "attention_bias", False) or getattr(config, "mlp_bias", False)),
            (
                "its heads are not hidden_size / heads",
                head * config.num_attention_heads != config.hidden_size,
            ),
        )
        if found
    ]
    if odd:
        raise SourceError(f"this model cannot be repacked as Phi-3: {odd[0]}", next="give a plain Llama")


def _fused(state: dict[str, Any], layers: int) -> dict[str, Any]:
    """The Phi-3 model's state: parts concatenated by rows in FUSED's order, the rest as it was."""
    import torch

    parts = {part for names in FUSED.values() for part in names}
    fused = {name: value for name, value in state.items() if name.split(".")[-2] not in parts}
    for layer in range(layers):
        for whole, names in FUSED.items():
            block = f"model.layers.{layer}.{whole.partition('.')[0]}"
            rows = [state[f"{block}.{name}.weight"] for name in names]
            fused[f"model.layers.{layer}.{whole}.weight"] = torch.cat(rows)
    return fused
