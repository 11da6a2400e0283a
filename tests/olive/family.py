"""Tiny checkpoints with what is published of the Phi family: rope, heads, ties, windows, added tokens, ends, templates.

The templates are written anew from their published format; weights are random, and widths as small as the graph builder
takes them (see tiny_llm.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.olive import patterns, tiny_llm

PHI3_TOKENS = ["<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"]
PHI4_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|im_sep|>"]
PHI4_MINI_TOKENS = [*PHI3_TOKENS, "<|tool|>", "<|/tool|>", "<|tool_call|>", "<|/tool_call|>"]
TURN = "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
PHI3 = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}"
)
PHI4 = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '<|im_sep|>' + message['content'] "
    "+ '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}"
)
PHI4_MINI = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' and 'tools' in message and message['tools'] is not none %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|tool|>' + message['tools'] + '<|/tool|><|end|>' }}"
    "{% else %}" + TURN + "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}"
)
WIDTH, HEAD = 128, 32
QUIET = 0.002  # of random layers: at a hundredth Mistral, Nemotron and Qwen2 are at the limits of rates over 16 answers


def _tokens(folder: Path, pattern: str, special: list[str], template: str, **strip: bool) -> None:
    """A tokenizer of the pattern whose control tokens take the blanks beside them as the published ones do."""
    patterns.byte_level(folder, pattern, special)
    document = json.loads((folder / "tokenizer.json").read_text())
    for entry in document["added_tokens"]:
        entry |= strip if entry["content"] != special[0] else {}
    (folder / "tokenizer.json").write_text(json.dumps(document))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings |= {"chat_template": template, "bos_token": special[0], "eos_token": special[0], "unk_token": special[0]}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _phi3(folder: Path, ends: list[int], **changes: Any) -> Path:
    sizes = {"hidden_size": WIDTH, "intermediate_size": 160, "eos_token_id": ends, "bos_token_id": 0, "pad_token_id": 0}
    tiny_llm.phi3(folder, **(sizes | changes))
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": ends}))
    return folder


def phi3_mini_4k(folder: Path) -> Path:
    """A sliding window, every head with its own keys, nothing tied; three end tokens."""
    _phi3(folder, [0, 1, 3], num_key_value_heads=4, sliding_window=300, rms_norm_eps=1e-5)
    _tokens(folder, patterns.CL100K, PHI3_TOKENS, PHI3, rstrip=True)
    return folder


def phi3_mini_128k(folder: Path, border: int = 256) -> Path:
    """LongRoPE under its first name, with a window that no text reaches."""
    long = tiny_llm.longrope(border, border + 256, HEAD)
    _phi3(folder, [0, 1, 3], num_key_value_heads=4, sliding_window=262144, rms_norm_eps=1e-5, **long)
    _tokens(folder, patterns.CL100K, PHI3_TOKENS, PHI3, rstrip=True)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["rope_scaling"]["type"] = "su"
    config["rope_scaling"].pop("rope_type", None)
    path.write_text(json.dumps(config))
    return folder


def phi4(folder: Path) -> Path:
    """A large theta, shared keys, ChatML with a separator; two end tokens."""
    _phi3(folder, [2, 0], num_key_value_heads=1, rope_theta=250000.0, rms_norm_eps=1e-5)
    _tokens(folder, patterns.CL100K, PHI4_TOKENS, PHI4, rstrip=True, lstrip=True)
    return folder


def phi4_mini(folder: Path, border: int = 256) -> Path:
    """LongRoPE of three quarters of each head, shared keys, tied embeddings, o200k, tools in the system turn."""
    head = 64  # of which 48 turn: a multiple of 16
    long = tiny_llm.longrope(border, border + 256, 48)
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": head, "partial_rotary_factor": 0.75}
    _phi3(folder, [3, 0], rms_norm_eps=1e-5, tie_word_embeddings=True, sliding_window=262144, **heads, **long)
    _tokens(folder, patterns.O200K, PHI4_MINI_TOKENS, PHI4_MINI, rstrip=True)
    return folder


def phi2(folder: Path) -> Path:
    """LayerNorm, biases, two fifths of each head turned, no template."""
    return tiny_llm.phi(folder, hidden_size=160, num_attention_heads=2, partial_rotary_factor=0.4)


FAMILY: dict[str, Callable[[Path], Path]] = {
    entry.__name__: entry for entry in (phi2, phi3_mini_4k, phi3_mini_128k, phi4, phi4_mini)
}
# The places of a text, in tokens, where attention or rotary factors change.
BORDERS = {"phi3_mini_4k": 300, "phi3_mini_128k": 256, "phi4_mini": 256}


def other(name: str) -> Callable[[Path], Path]:
    """A maker of another architecture's checkpoint, with what it has that Phi has not."""
    more: dict[str, dict[str, Any]] = {
        "Gemma2": {"head_dim": HEAD, "query_pre_attn_scalar": HEAD, "attn_implementation": "eager"},
        "Gemma3": {"head_dim": HEAD, "query_pre_attn_scalar": HEAD},
        "Granite": {
            "embedding_multiplier": 12.0,
            "attention_multiplier": 1 / HEAD,
            "residual_multiplier": 0.22,
            "logits_scaling": 8.0,
        },
        "Qwen3": {"head_dim": HEAD},
    }

    def make(folder: Path) -> Path:
        import torch
        import transformers

        tiny_llm.tokenizer(folder)
        sizes = {
            "vocab_size": tiny_llm.VOCAB,
            "hidden_size": WIDTH,
            "intermediate_size": 160,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "initializer_range": 0.15,
            "bos_token_id": 0,
            "eos_token_id": [2, 0],
            "pad_token_id": 0,
        }
        config = getattr(transformers, {"Gemma3": "Gemma3TextConfig"}.get(name, f"{name}Config"))
        torch.manual_seed(0)
        model = getattr(transformers, f"{name}ForCausalLM")(config(**(sizes | more.get(name, {}))))
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.data += 0.1 * torch.randn_like(parameter)
        model.generation_config.eos_token_id = [2, 0]
        model.save_pretrained(folder)
        return folder

    return make


def quiet(folder: Path) -> Path:
    """With layers that add less to what goes through them than it is, as trained ones: int4 leaves the model itself."""
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    weights = load_file(path)
    for name, weight in weights.items():
        if name.endswith(("o_proj.weight", "down_proj.weight", "dense.weight", "fc2.weight")):
            weight *= QUIET
    save_file(weights, path, metadata={"format": "pt"})
    return folder


OTHERS = {
    name: other(name)
    for name in ("Ernie4_5", "Gemma", "Gemma2", "Gemma3", "Granite", "Mistral", "Nemotron", "Qwen2", "Qwen3")
}
