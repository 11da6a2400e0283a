"""Every quantization a GGUF can have: those that the gguf package undoes come out exactly, the others are refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import SourceError
from edgekit.jobs.gguf import convert, types
from tests import needs

gguf, safetensors = map(needs.module, ("gguf", "safetensors.numpy"))

pytestmark = pytest.mark.unit

TYPES = gguf.GGMLQuantizationType
READ = (
    *("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"),
    *("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_NL", "IQ4_XS"),
    *("TQ1_0", "TQ2_0", "MXFP4", "NVFP4"),
)
NOT_READ = ("Q8_1", "Q8_K", "I8", "I16", "I32", "I64", "F64")
HIDDEN, HEADS, KV_HEADS, VOCAB = 256, 4, 2, 259  # a super-block of the K and IQ types has 256 values
SHAPES = {
    "token_embd": (VOCAB, HIDDEN),
    "blk.0.attn_q": (HIDDEN, HIDDEN),
    "blk.0.attn_k": (HIDDEN // 2, HIDDEN),
    "blk.0.attn_v": (HIDDEN // 2, HIDDEN),
    "blk.0.attn_output": (HIDDEN, HIDDEN),
    "blk.0.ffn_gate": (HIDDEN, HIDDEN),
    "blk.0.ffn_up": (HIDDEN, HIDDEN),
    "blk.0.ffn_down": (HIDDEN, HIDDEN),
}


def test_the_types_are_the_packages() -> None:
    """Numbers, names, sizes, and whether the package undoes one: a block of zeros is tried."""
    theirs = {int(kind): (kind.name, *sizes) for kind, sizes in gguf.GGML_QUANT_SIZES.items()}
    assert {number: (kind.name, kind.block, kind.nbytes) for number, kind in types.TYPES.items()} == theirs
    for number, kind in types.TYPES.items():
        try:
            gguf.quants.dequantize(np.zeros((1, kind.nbytes), np.uint8), TYPES(number))
        except NotImplementedError:
            assert not kind.readable
        else:
            assert kind.readable


def blocks(kind: Any, shape: tuple[int, int], rng: Any) -> Any:
    """Random bytes of this type whose every value is finite: what llama-quantize writes, but for sense."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    raw = rng.integers(0, 256, (shape[0] * shape[1] // block, size), np.uint8)
    for _ in range(100):
        with np.errstate(all="ignore"):
            bad = ~np.isfinite(gguf.quants.dequantize(raw, kind)).all(axis=1)
        if not bad.any():
            return raw.reshape(shape[0], -1)
        raw[bad] = rng.integers(0, 256, (int(bad.sum()), size), np.uint8)
    raise AssertionError("no finite blocks found")


def write(path: Path, tensors: dict[str, tuple[Any, Any]]) -> Path:
    """A llama GGUF of one layer: name -> (type, bytes)."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(1)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "<s>", "</s>", *(f"<0x{n:02X}>" for n in range(256))])
    writer.add_token_types([2, 3, 3] + [6] * 256)
    writer.add_token_scores([0.0] * VOCAB)
    writer.add_eos_token_id(2)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(HIDDEN, np.float32))
    for name, (kind, raw) in tensors.items():
        writer.add_tensor(f"{name}.weight", raw, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def unpermuted(rows: Any, heads: int) -> Any:
    """The inverse of llama.cpp's interleaving, written the other way round than the code under test does it."""
    return rows.reshape(heads, -1, 2, rows.shape[1]).transpose(0, 2, 1, 3).reshape(rows.shape)


@pytest.mark.parametrize("name", READ)
def test_a_type_that_is_read(tmp_path: Path, name: str) -> None:
    kind = TYPES[name]
    rng = np.random.default_rng(5)
    tensors = {tensor: (kind, blocks(kind, shape, rng)) for tensor, shape in SHAPES.items()}
    report = convert(write(tmp_path / "m.gguf", tensors), tmp_path / "out")
    narrow = {"F16": "float16", "BF16": "bfloat16"}.get(name, "float32")
    assert report["dtype"] == narrow and report["source_types"] == {"F32": 3 + 8 * (name == "F32")} | (
        {name: 8} if name != "F32" else {}
    )
    got = safetensors.load_file(tmp_path / "out" / "model.safetensors") if narrow != "bfloat16" else bfloat16(tmp_path)
    found = {
        "token_embd": got["model.embed_tokens.weight"],
        "blk.0.attn_q": got["model.layers.0.self_attn.q_proj.weight"],
        "blk.0.attn_k": got["model.layers.0.self_attn.k_proj.weight"],
        "blk.0.ffn_down": got["model.layers.0.mlp.down_proj.weight"],
    }
    for tensor, value in found.items():
        wanted = gguf.quants.dequantize(tensors[tensor][1], kind).reshape(SHAPES[tensor])
        heads = {"blk.0.attn_q": HEADS, "blk.0.attn_k": KV_HEADS}.get(tensor)
        wanted = unpermuted(wanted, heads) if heads else wanted
        assert np.array_equal(value.astype(np.float32), wanted), tensor


def bfloat16(folder: Path) -> dict[str, Any]:
    """The folder's tensors as float32: numpy itself has no bfloat16."""
    raw = (folder / "out" / "model.safetensors").read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    found = {}
    for name, entry in json.loads(raw[8:start]).items():
        if name != "__metadata__":
            low, high = entry["data_offsets"]
            bits = np.frombuffer(raw[start + low : start + high], "<u2").astype(np.uint32) << 16
            found[name] = bits.view(np.float32).reshape(entry["shape"])
    return found


def test_types_mix_as_llama_quantize_mixes_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    kinds = [TYPES.Q6_K, TYPES.Q4_K, TYPES.Q4_K, TYPES.Q6_K, TYPES.Q4_K, TYPES.Q5_K, TYPES.IQ4_XS, TYPES.Q8_0]
    tensors = {
        name: (kind, blocks(kind, shape, rng)) for (name, shape), kind in zip(SHAPES.items(), kinds, strict=True)
    }
    report = convert(write(tmp_path / "m.gguf", tensors), tmp_path / "out")
    assert report["source_types"] == {"F32": 3, "Q6_K": 2, "Q4_K": 3, "Q5_K": 1, "IQ4_XS": 1, "Q8_0": 1}
    assert report["dtype"] == "float32" and report["parameters"] == sum(map(math.prod, SHAPES.values())) + 3 * HIDDEN


@pytest.mark.parametrize("name", NOT_READ)
def test_a_type_that_is_not_read(tmp_path: Path, name: str) -> None:
    kind = TYPES[name]
    block, size = gguf.GGML_QUANT_SIZES[kind]
    tensors = {tensor: (TYPES.F32, np.zeros(shape, np.float32)) for tensor, shape in SHAPES.items()}
    rows, columns = SHAPES["blk.0.ffn_up"]
    tensors["blk.0.ffn_up"] = (kind, np.zeros((rows, columns // block * size), np.uint8))
    with pytest.raises(SourceError, match=f"tensors of type {name} cannot be read back") as error:
        convert(write(tmp_path / "m.gguf", tensors), tmp_path / "out")
    assert "another quantization" in error.value.next and not (tmp_path / "out").exists(), "before anything is written"


def test_the_list_is_whole() -> None:
    """A type that a new gguf package can undo, or knows, is noticed here."""
    known = set(READ) | set(NOT_READ)
    for kind, (_, size) in gguf.GGML_QUANT_SIZES.items():
        try:
            gguf.quants.dequantize(np.zeros((1, size), np.uint8), kind)
        except NotImplementedError:
            assert kind.name not in READ
        else:
            assert kind.name in READ, f"{kind.name} can be read back now: list it"
    assert known <= {kind.name for kind in TYPES}
