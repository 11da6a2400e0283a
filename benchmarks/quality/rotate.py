"""Fold a Llama checkpoint's norms and rotate its residual stream: the same function, weights off every grid.

A checkpoint that was quantized before, as every GGUF is, sits on that quantization's grid, and the recipe whose grid it
is looks nearly lossless. After multiplying the residual stream by a random orthogonal matrix Q (embeddings and what is
written to it by Q, what is read from it by Q^T) no weight is on any grid, and the logits are the same but for rounding.

python rotate.py SOURCE DESTINATION    prints the largest difference of any logit
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

SEED = 0
COPIED = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")


def main(source: Path, destination: Path) -> None:
    """Write the rotated folder, its embeddings untied."""
    model: Any = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
    torch.manual_seed(SEED)
    width = model.config.hidden_size
    rotation, _ = torch.linalg.qr(torch.randn(width, width, dtype=torch.float64))
    ids = torch.randint(0, model.config.vocab_size, (1, 64))
    with torch.no_grad():
        before = model(ids).logits
        rotate(model, rotation)
        after = model(ids).logits
    difference = float((before - after).abs().max())
    assert difference < 1e-3, f"the rotated model differs by {difference}"
    model.save_pretrained(destination)
    for name in COPIED:
        if (source / name).is_file():
            shutil.copyfile(source / name, destination / name)
    print(difference)


def rotate(model: Any, rotation: torch.Tensor) -> None:
    """In place, in float64."""
    embeddings = model.model.embed_tokens.weight.data.double()
    last = embeddings * model.model.norm.weight.data.double()
    for layer in model.model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        readers = {
            layer.input_layernorm: (attention.q_proj, attention.k_proj, attention.v_proj),
            layer.post_attention_layernorm: (mlp.gate_proj, mlp.up_proj),
        }
        for norm, linears in readers.items():
            for linear in linears:
                folded = linear.weight.data.double() * norm.weight.data.double()
                linear.weight.data = (folded @ rotation).float()
            norm.weight.data.fill_(1)
        for linear in (attention.o_proj, mlp.down_proj):
            linear.weight.data = (rotation.T @ linear.weight.data.double()).float()
    model.model.norm.weight.data.fill_(1)
    model.model.embed_tokens.weight.data = (embeddings @ rotation).float()
    model.config.tie_word_embeddings = False
    model.lm_head = torch.nn.Linear(model.config.hidden_size, model.config.vocab_size, bias=False)
    model.lm_head.weight.data = (last @ rotation).float()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
