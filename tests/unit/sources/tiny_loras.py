"""LoRAs of the smallest Llama (tiny_models.py), as PEFT saves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.unit.sources.tiny_models import LAYERS, layout, llama_shapes, safetensors_bytes

WEIGHTS = "adapter_model.safetensors"
MODULES = ("q_proj", "v_proj")
CONFIG: dict[str, Any] = {
    "peft_type": "LORA",
    "task_type": "CAUSAL_LM",
    "base_model_name_or_path": "base",
    "r": 2,
    "lora_alpha": 4,
    "lora_dropout": 0.05,
    "bias": "none",
    "target_modules": list(MODULES),
    "inference_mode": True,
    "peft_version": "0.21.2",
}


def key(module: str, part: str, layer: int = 0) -> str:
    """The name of A or B of a projection of the attention."""
    return f"base_model.model.model.layers.{layer}.self_attn.{module}.lora_{part}.weight"


def save_lora(
    folder: Path, *, ranks: dict[str, int] | None = None, dtype: str = "F32", seed: int = 0, **config: Any
) -> Path:
    """A LoRA of drawn values; `ranks` are of modules, `config` changes the configuration."""
    folder.mkdir(parents=True)
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(LAYERS):
        for module in MODULES:
            out, width = llama_shapes()[f"model.layers.{layer}.self_attn.{module}.weight"]
            rank = (ranks or {}).get(module, CONFIG["r"])
            shapes |= {key(module, "A", layer): (rank, width), key(module, "B", layer): (out, rank)}
    header, size = layout(shapes, dtype)
    count = size // (4 if dtype == "F32" else 2)
    drawn = np.random.default_rng(seed).standard_normal(count).astype(np.float32)
    data = drawn.tobytes() if dtype == "F32" else (drawn.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    (folder / WEIGHTS).write_bytes(safetensors_bytes(header, data))
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG | config))
    return folder
