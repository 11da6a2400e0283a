"""The text part of a multimodal Phi: a Phi3ForCausalLM folder with the decoder's own weights, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import SourceError
from edgekit.sources import Source, open_source
from edgekit.sources.facts import safetensors
from tests.unit.sources.tiny_models import TOKENIZER, VOCAB, layout, safetensors_bytes

pytestmark = pytest.mark.unit
HIDDEN, INNER, QKV = 8, 12, 16
DECODER: dict[str, tuple[int, ...]] = {
    "model.embed_tokens.weight": (VOCAB, HIDDEN),
    "model.norm.weight": (HIDDEN,),
    **{
        f"model.layers.{layer}.{name}": shape
        for layer in range(2)
        for name, shape in {
            "self_attn.qkv_proj.weight": (QKV, HIDDEN),
            "self_attn.o_proj.weight": (HIDDEN, HIDDEN),
            "mlp.gate_up_proj.weight": (2 * INNER, HIDDEN),
            "mlp.down_proj.weight": (HIDDEN, INNER),
            "input_layernorm.weight": (HIDDEN,),
            "post_attention_layernorm.weight": (HIDDEN,),
        }.items()
    },
}
CONFIG: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": HIDDEN,
    "intermediate_size": INNER,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 64,
    "original_max_position_embeddings": 32,
    "rope_scaling": {"type": "su", "short_factor": [1.0, 1.0], "long_factor": [2.0, 2.0]},
    "tie_word_embeddings": True,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
VISION = {"model.vision_embed_tokens.img_projection.0.weight": (4, 4)}
# Phi-4-multimodal as published: projections wrapped for two adapters; as transformers has it: adapters elsewhere.
LORA = {
    f"model.layers.{layer}.self_attn.qkv_proj.lora_{side}.{name}.weight": (2, 2)
    for layer in range(2)
    for side in "AB"
    for name in ("vision", "speech")
}
EXTEND = {"model.embed_tokens_extend.audio_embed.encoder.embed.weight": (3, 5)}


def wrapped(shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {name.replace("_proj.weight", "_proj.base_layer.weight"): shape for name, shape in shapes.items()}


def save(folder: Path, config: dict[str, Any], *files: dict[str, tuple[int, ...]]) -> Path:
    """A folder of these tensors in one file, or in shards; every byte of them is of its own tensor."""
    folder.mkdir()
    placed = {}
    for number, shapes in enumerate(files):
        name = "model.safetensors" if len(files) == 1 else f"model-{number + 1:05}-of-{len(files):05}.safetensors"
        header, size = layout(shapes)
        data = np.random.default_rng(number).integers(0, 256, size, np.uint8).tobytes()
        (folder / name).write_bytes(safetensors_bytes(header, data))
        placed |= dict.fromkeys(shapes, name)
    if len(files) > 1:
        (folder / safetensors.INDEX).write_text(json.dumps({"weight_map": placed}))
    (folder / "config.json").write_text(json.dumps(CONFIG | config))
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    settings = {"eos_token": "<|im_end|>", "chat_template": "{{ messages }}", "processor_class": "Phi3VProcessor"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "preprocessor_config.json").write_text(json.dumps({"auto_map": {"AutoProcessor": "odd.Odd"}}))
    (folder / "modeling_odd.py").write_text("raise SystemExit\n")
    (folder / "LICENSE").write_text("MIT")
    return folder


def tensors(folder: Path) -> dict[str, tuple[tuple[int, ...], bytes]]:
    """Name -> shape and bytes, of all files."""
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        raw = path.read_bytes()
        length = int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8 : 8 + length])
        header.pop("__metadata__", None)
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            found[name] = (tuple(entry["shape"]), raw[8 + length :][begin:end])
    return found


def check(folder: Path, source: Source) -> None:
    whole, kept = tensors(folder), tensors(source.path)
    assert set(kept) == set(DECODER)
    for name, shape in DECODER.items():
        published = whole.get(name) or whole[name.replace("_proj.weight", "_proj.base_layer.weight")]
        assert kept[name] == published and kept[name][0] == shape
    assert source.model.architecture == "Phi3ForCausalLM" and source.model.llm is not None
    assert not source.trust_remote_code and source.ref == folder.name and source.model.name == "phi-x"
    assert "its text part alone is built" in source.model.left_out[0]
    assert sorted(path.name for path in source.path.glob("*.py")) == []
    assert source.licenses and source.licenses[0].read_text() == "MIT"
    config = json.loads((source.path / "config.json").read_text())
    assert config["original_max_position_embeddings"] == 32 and "auto_map" not in config


def test_phi_3_vision(tmp_path: Path) -> None:
    config = {
        "architectures": ["Phi3VForCausalLM"],
        "model_type": "phi3_v",
        "auto_map": {"AutoModelForCausalLM": "modeling_phi3_v.Phi3VForCausalLM"},
        "img_processor": {"name": "clip_vision_model"},
    }
    folder = save(tmp_path / "Phi X", config, VISION | DECODER)
    check(folder, open_source(str(folder)))


def test_phi_4_multimodal_in_shards_with_adapters(tmp_path: Path) -> None:
    config = {"architectures": ["Phi4MMForCausalLM"], "model_type": "phi4mm", "auto_map": {"AutoModel": "odd.Odd"}}
    layers = wrapped({name: shape for name, shape in DECODER.items() if ".layers.1." in name})
    rest = wrapped({name: shape for name, shape in DECODER.items() if ".layers.1." not in name})
    folder = save(tmp_path / "Phi X", config, EXTEND, rest | LORA, layers)
    check(folder, open_source(str(folder), trust_remote_code=True))
    native = {"architectures": ["Phi4MultimodalForCausalLM"], "model_type": "phi4_multimodal"}
    other = save(tmp_path / "other", native, DECODER | EXTEND)
    assert set(tensors(open_source(str(other)).path)) == set(DECODER)


def test_a_part_that_the_decoder_has_no_place_for_is_refused(tmp_path: Path) -> None:
    config = {"architectures": ["Phi4MMForCausalLM"], "attention_bias": True}
    with pytest.raises(SourceError, match="attention_bias"):
        open_source(str(save(tmp_path / "a", config, DECODER)))
    with pytest.raises(SourceError, match="holds no weights of a decoder"):
        open_source(str(save(tmp_path / "b", config | {"attention_bias": False}, VISION)))
