"""The importance matrix that llama-imatrix computes: the mean square of each input of each linear layer.

python imatrix.py FOLDER FILE.npz    over the calibration text that ships with edgekit; names are those of GGUF
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from llama_names import OUTSIDE, PARTS
from transformers import AutoModelForCausalLM

from edgekit.jobs.olive.calibration_text import CalibrationText

TOKENS = 512  # of a piece of text, as of the recipes


def main(folder: Path, file: Path) -> None:
    """Write float32 vectors by tensor name."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    text = CalibrationText("", str(folder), 10**6, TOKENS, "")
    sums: dict[str, torch.Tensor] = {}
    tokens = 0

    def add(name: str) -> Any:
        def behind(module: Any, read: Any, wrote: Any) -> None:
            rows = read[0].reshape(-1, read[0].shape[-1])
            sums[name] = sums.get(name, torch.zeros(rows.shape[1])) + rows.square().sum(0)

        return behind

    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_hook(add(name))
    with torch.no_grad():
        for feed, _ in text:
            model(feed["input_ids"], use_cache=False)
            tokens += feed["input_ids"].numel()
    np.savez(file, **{tensor_name(name): (total / tokens).numpy() for name, total in sums.items()})


def tensor_name(base: str) -> str:
    """As blk.0.attn_q.weight."""
    if not base.startswith("model.layers."):
        return f"{OUTSIDE[base]}.weight"
    layer, part = base.split(".", 3)[2:]
    return f"blk.{layer}.{PARTS[part]}.weight"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
