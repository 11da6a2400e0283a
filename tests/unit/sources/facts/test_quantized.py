"""Checkpoints that were quantized are refused on opening, whoever made them and whatever they left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import SourceError
from edgekit.sources.facts import config_alone, quantized
from edgekit.sources.facts.safetensors import Weight

pytestmark = pytest.mark.unit

FLOAT = {"model.layers.0.self_attn.q_proj.weight": Weight("BF16", (8, 8), 128)}
LAYER = "model.layers.0.self_attn.q_proj"
STATED: dict[str, tuple[dict[str, Any], str]] = {
    "gptq": ({"quantization_config": {"quant_method": "gptq", "bits": 4, "sym": True}}, "gptq, 4 bits"),
    "awq": ({"quantization_config": {"quant_method": "awq", "bits": 4, "version": "gemm"}}, "awq, 4 bits"),
    "bitsandbytes": ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}, "bitsandbytes"),
    "fp8": ({"quantization_config": {"quant_method": "fp8", "fmt": "e4m3"}}, "fp8"),
    "mxfp4": ({"quantization_config": {"quant_method": "mxfp4"}}, "mxfp4"),
    "compressed-tensors": (
        {"quantization_config": {"quant_method": "compressed-tensors", "format": "x"}},
        "compressed",
    ),
    "hqq": ({"quantization_config": {"quant_method": "hqq", "quant_config": {"weight_quant_params": {}}}}, "hqq"),
    "aqlm": ({"quantization_config": {"quant_method": "aqlm", "nbits_per_codebook": 16}}, "aqlm"),
    "torchao": ({"quantization_config": {"quant_method": "torchao", "quant_type": {"default": {}}}}, "torchao"),
    "its first key": ({"compression_config": {"format": "pack-quantized"}}, "pack-quantized"),
    "mlx": ({"quantization": {"group_size": 64, "bits": 4}}, "4 bits"),
    "a word": ({"quantization_config": "gptq"}, "names gptq"),
    "no method": ({"quantization_config": {"bits": 3}}, "3 bits"),
}


@pytest.mark.parametrize("case", STATED)
def test_what_the_configuration_says(case: str, tmp_path: Path) -> None:
    config, words = STATED[case]
    _refused(tmp_path, config, FLOAT, words)


@pytest.mark.parametrize("name", quantized.SETTINGS)
def test_what_lies_beside_it(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(json.dumps({"bits": 4}))
    _refused(tmp_path, {}, FLOAT, name)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        (f"{LAYER}.qweight", "I32"),
        (f"{LAYER}.qzeros", "I32"),
        (f"{LAYER}.scales", "F16"),
        (f"{LAYER}.g_idx", "I32"),
        (f"{LAYER}.weight_packed", "I32"),
        (f"{LAYER}.weight_scale_inv", "F32"),
        (f"{LAYER}.weight.absmax", "U8"),
        (f"{LAYER}.SCB", "F32"),
        (f"{LAYER}.W_q", "U8"),
        (f"{LAYER}.codebooks", "F16"),
        (f"{LAYER}._weight_qdata", "I8"),
        ("model.layers.0.mlp.experts.gate_up_proj_blocks", "U8"),
        (f"{LAYER}.weight", "U8"),
        (f"{LAYER}.weight", "I8"),
        (f"{LAYER}.weight", "F8_E4M3"),
        (f"{LAYER}.weight", "F8_E5M2"),
        (f"{LAYER}.weight", "U32"),
    ],
)
def test_what_the_weights_show_where_nothing_says_it(name: str, dtype: str, tmp_path: Path) -> None:
    _refused(tmp_path, {}, {**FLOAT, name: Weight(dtype, (8, 8), 64)}, name)


def test_the_checkpoint_that_the_readme_names_is_named(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: mit\nbase_model:\n- org/Float-7B\ntags: []\n---\n# x\n")
    with pytest.raises(SourceError) as error:
        quantized.refuse(tmp_path, {"quantization_config": {"bits": 4}})
    assert error.value.next.endswith("its README names hf:org/Float-7B")


def test_nothing_is_estimated_of_a_quantized_checkpoint(tmp_path: Path) -> None:
    config = {"architectures": ["LlamaForCausalLM"], "quantization_config": {"quant_method": "awq", "bits": 4}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(SourceError, match=r"already quantized: config\.json names awq, 4 bits"):
        config_alone.described(tmp_path)


def test_float_weights_go_on(tmp_path: Path) -> None:
    buffers = {
        f"{LAYER}.position_ids": Weight("I64", (8,), 64),
        f"{LAYER}.rotary_emb.inv_freq": Weight("F32", (8,), 32),
    }
    quantized.refuse(tmp_path, {"quantization_config": None}, FLOAT | buffers)


def _refused(folder: Path, config: dict[str, Any], weights: dict[str, Weight], words: str) -> None:
    with pytest.raises(SourceError, match="already quantized") as caught:
        quantized.refuse(folder, config, weights)
    assert words in caught.value.message
    assert caught.value.exit_code == 4 and "float checkpoint" in caught.value.next
