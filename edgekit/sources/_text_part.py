"""The part of a multimodal Phi that reads text, as the Phi3ForCausalLM that it is.

Phi-3-vision is Phi-3-mini-128k and Phi-4-multimodal is Phi-4-mini with parts that put pictures and speech between the
embeddings. Without these, and without the adapters that are added for them (Phi-4-multimodal switches them off for text
alone), the weights are those of the decoder, under its names or nearly so.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from edgekit import cache, digests
from edgekit.data import pretty
from edgekit.digests import Snapshot
from edgekit.errors import SourceError
from edgekit.sources._convert import MODEL
from edgekit.sources.facts import safetensors
from edgekit.sources.facts.files import AGAIN, TOKENIZER_LIMIT, read_json

ARCHITECTURE, MODEL_TYPE = "Phi3ForCausalLM", "phi3"
PARTS = ("model.layers.", "model.embed_tokens.", "model.norm.", "lm_head.")
# Of config.json: what the decoder has too.
KEYS = (
    "attention_dropout",
    "bos_token_id",
    "dtype",
    "embd_pdrop",
    "eos_token_id",
    "hidden_act",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "original_max_position_embeddings",
    "pad_token_id",
    "partial_rotary_factor",
    "resid_pdrop",
    "rms_norm_eps",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "sliding_window",
    "tie_word_embeddings",
    "torch_dtype",
    "transformers_version",
    "vocab_size",
)
BIASES = ("attention_bias", "mlp_bias", "lm_head_bias")
# What is not copied: processors of pictures and sound, and the code of either.
LEFT = (".py", ".safetensors", ".bin", ".onnx", safetensors.INDEX)
PROCESSORS = ("config.json", "preprocessor_config.json", "processor_config.json")


def made(folder: Path, taken: Snapshot, config: dict[str, Any]) -> tuple[Path, Snapshot]:
    """A folder in the cache with the decoder, and its snapshot.

    Raises:
        SourceError: biases, which the decoder has no place for; a folder without the decoder's weights.
    """
    if biased := next((key for key in BIASES if config.get(key)), None):
        raise SourceError(f"config.json has {biased}, which {ARCHITECTURE} has no place for", next=AGAIN)
    text = {key: config[key] for key in KEYS if config.get(key) is not None}
    text |= {"architectures": [ARCHITECTURE], "model_type": MODEL_TYPE}
    key = {"job": "text part", "source": cache.path_digest(folder), "config": text, "parts": PARTS}

    def make(entry: Path) -> None:
        to = entry / MODEL
        to.mkdir()
        (to / "config.json").write_text(pretty(text), encoding="utf-8")
        _weights(folder, to)
        for name, path in digests.listing(folder):
            if "/" not in name and name not in PROCESSORS and not name.endswith(LEFT):
                shutil.copyfile(path, to / name)
        _settings(to / "tokenizer_config.json")

    what = f"{folder.name}, the part that reads text"
    place = cache.produce("import", key, make, what=what, read=(taken,)).path / MODEL
    return place, digests.snapshot(place, what=f"the model {folder.name}")


def renamed(name: str) -> str | None:
    """A tensor's name in the decoder; None for one of another part, or of an adapter."""
    plain = name.replace(".base_layer.", ".")
    return plain if plain.startswith(PARTS) and ".lora_" not in plain else None


def _weights(folder: Path, to: Path) -> None:
    if not (folder / safetensors.INDEX).is_file():
        if not (folder / safetensors.SINGLE).is_file() or not safetensors.copy(
            folder / safetensors.SINGLE, to / safetensors.SINGLE, renamed
        ):
            raise SourceError(f"{folder.name} holds no weights of a decoder ({', '.join(PARTS)})", next=AGAIN)
        return
    safetensors.read_folder(folder)
    placed: dict[str, str] = {}
    for shard in safetensors.shards(folder):
        safetensors.copy(folder / shard, to / shard, renamed)
        placed |= dict.fromkeys(safetensors.read_header(to / shard) if (to / shard).is_file() else {}, shard)
    (to / safetensors.INDEX).write_text(json.dumps({"metadata": {}, "weight_map": placed}), encoding="utf-8")


def _settings(path: Path) -> None:
    """The tokenizer's settings without the names of classes that belong to the other parts."""
    if path.is_file():
        settings = read_json(path, TOKENIZER_LIMIT)
        kept = {key: value for key, value in settings.items() if key not in ("auto_map", "processor_class")}
        path.write_text(pretty(kept), encoding="utf-8")
