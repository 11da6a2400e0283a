"""GGUF import: a tiny random model's own weights, numbers and tokens come out; bad files are refused."""

from __future__ import annotations

import json
import math
import random
import struct
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import SourceError
from edgekit.jobs.gguf import convert
from edgekit.jobs.gguf import weights as gguf_weights
from edgekit.jobs.gguf.file import read
from tests import needs

gguf, safetensors, tokenizers = map(needs.module, ("gguf", "safetensors.numpy", "tokenizers"))

pytestmark = pytest.mark.unit

DATA = Path(__file__).parents[2] / "data" / "tokenizer"
HIDDEN, INNER, HEADS, KV_HEADS, LAYERS = 64, 96, 4, 2, 2
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MERGES = ["h e", "l l", "he ll", "hell o", "Ġ w", "1 2"]
Q8_0 = gguf.GGMLQuantizationType.Q8_0
BF16 = gguf.GGMLQuantizationType.BF16


def byte_letters() -> list[str]:
    """The 256 letters that stand for bytes in a byte-level vocabulary (GPT-2's bytes_to_unicode)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(other)) for b in range(256)]


TOKENS = [*CONTROL, *byte_letters(), *(merge.replace(" ", "") for merge in MERGES)]
ID = {token: i for i, token in enumerate(TOKENS)}


def permuted(rows: Any, heads: int) -> Any:
    """What llama.cpp's converter does to q and k (conversion/llama.py, LlamaModel.permute)."""
    halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


def random_weights(vocab: int = len(TOKENS)) -> dict[str, Any]:
    """Weights by Hugging Face name, in Hugging Face's order."""
    rng = np.random.default_rng(7)
    keys = HIDDEN // HEADS * KV_HEADS
    shapes = {"model.embed_tokens": (vocab, HIDDEN), "model.norm": (HIDDEN,)}
    for n in range(LAYERS):
        block = {
            "input_layernorm": (HIDDEN,),
            "post_attention_layernorm": (HIDDEN,),
            "self_attn.q_proj": (HIDDEN, HIDDEN),
            "self_attn.k_proj": (keys, HIDDEN),
            "self_attn.v_proj": (keys, HIDDEN),
            "self_attn.o_proj": (HIDDEN, HIDDEN),
            "mlp.gate_proj": (INNER, HIDDEN),
            "mlp.up_proj": (INNER, HIDDEN),
            "mlp.down_proj": (HIDDEN, INNER),
        }
        shapes |= {f"model.layers.{n}.{name}": shape for name, shape in block.items()}
    return {f"{name}.weight": rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


GGUF_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "lm_head": "output",
}


def gguf_name(name: str) -> str:
    parts = name.removesuffix(".weight").removeprefix("model.layers.").split(".", 1)
    if parts[0].isdigit():
        return f"blk.{parts[0]}.{GGUF_NAMES[parts[1]]}.weight"
    return GGUF_NAMES[name.removesuffix(".weight")] + ".weight"


def gpt2_vocabulary(writer: Any) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * len(CONTROL) + [1] * (len(TOKENS) - len(CONTROL)))
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(0)
    writer.add_chat_template("{% for m in messages %}<|im_start|>{{ m['content'] }}<|im_end|>{% endfor %}")


def llama_numbers(writer: Any) -> None:
    writer.add_context_length(512)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(100000.0)
    writer.add_rope_dimension_count(HIDDEN // HEADS)


def write(
    path: Path,
    weights: dict[str, Any],
    *,
    kinds: Callable[[str, Any], Any] = lambda name, data: None,
    vocabulary: Callable[[Any], None] = gpt2_vocabulary,
    change: Callable[[Any], None] = lambda writer: None,
    extra: dict[str, Any] | None = None,
) -> Path:
    """A llama GGUF of `weights`; `kinds` picks a type, `change` edits metadata, `extra` adds tensors."""
    writer = gguf.GGUFWriter(path, "llama")
    llama_numbers(writer)
    vocabulary(writer)
    change(writer)
    for name, data in weights.items():
        heads = {"q_proj": HEADS, "k_proj": KV_HEADS}.get(name.split(".")[-2], 0)
        data = permuted(data, heads) if heads else data
        kind = kinds(name, data)
        raw = data if kind is None else gguf.quants.quantize(data, kind)
        writer.add_tensor(gguf_name(name), raw, raw_dtype=kind)
    for name, data in (extra or {}).items():
        writer.add_tensor(name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def refused(action: Callable[[], object]) -> SourceError:
    """The error of `action`: one line with a next step, quickly and without eating memory."""
    tracemalloc.start()
    started = time.monotonic()
    with pytest.raises(SourceError) as caught:
        action()
    seconds, (_, peak) = time.monotonic() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "\n" not in caught.value.message and len(caught.value.message) < 200
    assert caught.value.next and "\n" not in caught.value.next
    assert seconds < 5 and peak < 20_000_000
    return caught.value


def test_weights_come_back_exactly(tmp_path: Path) -> None:
    weights = random_weights()
    report = convert(write(tmp_path / "m.gguf", weights), tmp_path / "out")
    got = safetensors.load_file(tmp_path / "out" / "model.safetensors")
    assert got.keys() == weights.keys()
    for name, data in weights.items():
        assert np.array_equal(got[name], data), name
    parameters = sum(data.size for data in weights.values())
    assert report["dtype"] == "float32" and report["parameters"] == parameters
    assert report["bf16_bytes"] == 2 * parameters and report["bytes"] == 4 * parameters


def test_quantized_weights_equal_the_dequantized_ones(tmp_path: Path) -> None:
    weights = random_weights()
    report = convert(
        write(tmp_path / "m.gguf", weights, kinds=lambda name, data: Q8_0 if data.ndim > 1 else None),
        tmp_path / "out",
    )
    got = safetensors.load_file(tmp_path / "out" / "model.safetensors")
    for name, data in weights.items():
        # Blocks of 32 lie within one row, so quantizing before or after reordering rows is the same.
        want = gguf.quants.dequantize(gguf.quants.quantize(data, Q8_0), Q8_0) if data.ndim > 1 else data
        assert np.array_equal(got[name], want), name
    assert report["source_types"] == {"Q8_0": 1 + 7 * LAYERS, "F32": 1 + 2 * LAYERS}


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_half_precision_files_keep_their_type(tmp_path: Path, kind: str) -> None:
    weights = {name: data.astype(np.float16).astype(np.float32) for name, data in random_weights().items()}
    weights = {name: (d.view(np.uint32) & 0xFFFF0000).view(np.float32) for name, d in weights.items()}

    def half(name: str, data: Any) -> Any:
        if data.ndim == 1:
            return None
        return BF16 if kind == "bfloat16" else gguf.GGMLQuantizationType.F16

    report = convert(write(tmp_path / "m.gguf", weights, kinds=half), tmp_path / "out")
    assert report["dtype"] == kind
    raw = (tmp_path / "out" / "model.safetensors").read_bytes()
    start = 8 + struct.unpack_from("<Q", raw)[0]
    for name, entry in json.loads(raw[8:start]).items():
        if name != "__metadata__":
            low, high = entry["data_offsets"]
            part = raw[start + low : start + high]
            if kind == "bfloat16":
                values = (np.frombuffer(part, "<u2").astype(np.uint32) << 16).view(np.float32)
            else:
                values = np.frombuffer(part, "<f2").astype(np.float32)
            assert np.array_equal(values.reshape(entry["shape"]), weights[name]), name


def test_norms_that_float16_cannot_hold_make_the_folder_float32(tmp_path: Path) -> None:
    weights = {name: data.astype(np.float16).astype(np.float32) for name, data in random_weights().items()}
    weights["model.norm.weight"][0] = 1.0001
    path = write(
        tmp_path / "m.gguf",
        weights,
        kinds=lambda name, data: gguf.GGMLQuantizationType.F16 if data.ndim > 1 else None,
    )
    assert convert(path, tmp_path / "out")["dtype"] == "float32"


def test_large_models_are_sharded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gguf_weights, "SHARD_BYTES", 60_000)
    monkeypatch.setattr(gguf_weights, "CHUNK_BYTES", 1000)
    weights = random_weights()
    report = convert(write(tmp_path / "m.gguf", weights), tmp_path / "out")
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text(encoding="utf-8"))
    assert index["metadata"]["total_size"] == report["bytes"]
    assert len(set(index["weight_map"].values())) > 2
    for name, file in index["weight_map"].items():
        assert np.array_equal(safetensors.load_file(tmp_path / "out" / file)[name], weights[name])


def test_config_says_what_the_file_says(tmp_path: Path) -> None:
    convert(write(tmp_path / "m.gguf", random_weights()), tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))
    expected = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": len(TOKENS),
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HIDDEN // HEADS,
        "rms_norm_eps": 1e-5,
        "rope_theta": 100000.0,
        "rope_scaling": None,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 0,
        "pad_token_id": None,
        "torch_dtype": "float32",
    }
    assert config.items() >= expected.items()
    generation = json.loads((tmp_path / "out" / "generation_config.json").read_text(encoding="utf-8"))
    assert generation == {"bos_token_id": 1, "eos_token_id": [0, 2]}


def test_an_output_matrix_unties_the_embeddings(tmp_path: Path) -> None:
    weights = random_weights()
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"] + 1
    convert(write(tmp_path / "m.gguf", weights), tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))
    got = safetensors.load_file(tmp_path / "out" / "model.safetensors")
    assert config["tie_word_embeddings"] is False
    assert np.array_equal(got["lm_head.weight"], weights["lm_head.weight"])


def test_llama3_rope_scaling_is_found_again(tmp_path: Path) -> None:
    factors = []
    for i in range(HIDDEN // HEADS // 2):
        ratio = 8192 / (2 * math.pi * 100000.0 ** (2 * i / (HIDDEN // HEADS)))
        smooth = min(max((ratio - 1) / 3, 0), 1)
        factors.append(1 / ((1 - smooth) / 32 + smooth))
    extra = {"rope_freqs.weight": np.array(factors, np.float32)}
    convert(write(tmp_path / "m.gguf", random_weights(), extra=extra), tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))
    assert config["rope_scaling"] == {
        "rope_type": "llama3",
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    extra["rope_freqs.weight"][-2] = 5.0
    path = write(tmp_path / "other.gguf", random_weights(), extra=extra)
    assert "rope factors" in refused(lambda: convert(path, tmp_path / "no")).message


def test_tokenizer_splits_as_the_file_says(tmp_path: Path) -> None:
    convert(write(tmp_path / "m.gguf", random_weights()), tmp_path / "out")
    tokenizer = tokenizers.Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    # "smollm" cuts digits one by one, so the merge of 1 and 2 never happens.
    text = "<|im_start|>hello w12<|im_end|>\0\n"
    wanted = ["<|im_start|>", "hello", "Ġw", "1", "2", "<|im_end|>", "Ā", "Ċ"]
    ids = tokenizer.encode(text).ids
    assert ids == [ID[token] for token in wanted]
    assert tokenizer.decode(ids, skip_special_tokens=False) == text
    config = json.loads((tmp_path / "out" / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert config["bos_token"] == "<|im_start|>" and config["eos_token"] == "<|endoftext|>"
    assert config["add_bos_token"] is False and "im_start" in config["chat_template"]


def test_a_template_begins_as_llama_cpp_has_the_text_begin(tmp_path: Path) -> None:
    """llama.cpp adds BOS to conversations too, but never a second one."""

    def template(text: str) -> Callable[[Any], None]:
        def vocabulary(writer: Any) -> None:
            spm_vocabulary(writer)
            writer.kv_data[0].pop("tokenizer.chat_template", None)
            writer.add_chat_template(text)

        return vocabulary

    for at, text in enumerate(("[{{ messages }}]", "{{ bos_token }}{{ messages }}", "<s>{{ messages }}")):
        path = write(tmp_path / f"{at}.gguf", random_weights(), vocabulary=template(text))
        convert(path, tmp_path / str(at))
        config = json.loads((tmp_path / str(at) / "tokenizer_config.json").read_text(encoding="utf-8"))
        assert config["chat_template"] == ("{{ bos_token }}" + text if at == 0 else text)


def test_runtime_knows_every_construct(tmp_path: Path) -> None:
    """The runtime obeys only Split steps, and merges only as pairs."""
    convert(write(tmp_path / "m.gguf", random_weights()), tmp_path / "out")
    document = json.loads((tmp_path / "out" / "tokenizer.json").read_text(encoding="utf-8"))
    steps = document["pre_tokenizer"]["pretokenizers"]
    assert [step["type"] for step in steps] == ["Split", "Split", "ByteLevel"]
    assert steps[-1]["use_regex"] is False
    merges = document["model"]["merges"]
    assert merges and all(isinstance(merge, list) and len(merge) == 2 for merge in merges)


def spm_vocabulary(writer: Any) -> None:
    tokens = [
        "<unk>",
        "<s>",
        "</s>",
        *(f"<0x{b:02X}>" for b in range(256)),
        "▁",
        "a",
        "b",
        "c",
        "bc",
        "ab",
        "▁a",
        "▁ab",
    ]
    size = len(TOKENS) - len(tokens)
    tokens += [f"[PAD{i}]" for i in range(size)]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * 8 + [5] * size)
    writer.add_token_scores([0.0] * 259 + [-9.0, -9.0, -9.0, -9.0, -1.0, -2.0, -3.0, -4.0] + [-1000.0] * size)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)


def test_sentencepiece_scores_become_merges(tmp_path: Path) -> None:
    convert(write(tmp_path / "m.gguf", random_weights(), vocabulary=spm_vocabulary), tmp_path / "out")
    tokenizer = tokenizers.Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    # "bc" has the better score, so "abc" is a + bc; a letter that is no token becomes its bytes.
    assert tokenizer.encode("abc").tokens == ["<s>", "▁a", "bc"]
    assert tokenizer.encode("ab é", add_special_tokens=False).tokens == ["▁ab", "▁", "<0xC3>", "<0xA9>"]
    assert tokenizer.decode(tokenizer.encode("ab é c").ids) == "ab é c"


RUNS = ["  ", "   ", "    ", "<tool>", "\t\t"]


def with_runs(prefix: bool) -> Callable[[Any], None]:
    """A SentencePiece vocabulary with user-defined pieces of score -1000 behind it."""

    def vocabulary(writer: Any) -> None:
        pieces = ["▁", "a", "b", "c", "bc", "ab", "▁a", "▁ab"]
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        writer.add_token_list(["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces, *RUNS])
        writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * len(pieces) + [4] * len(RUNS))
        scores = [-9.0, -9.0, -9.0, -9.0, -1.0, -2.0, -3.0, -4.0]
        writer.add_token_scores([0.0] * 259 + scores + [-1000.0] * len(RUNS))
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_unk_token_id(0)
        writer.add_add_space_prefix(prefix)

    return vocabulary


@pytest.mark.parametrize(
    ("text", "plain", "prefixed"),
    [  # by hand, as llama.cpp cuts: the longest user-defined piece first, then each rest by itself
        ("a    b", ["a", "    ", "b"], ["▁a", "    ", "▁", "b"]),
        ("a     b", ["a", "    ", "▁", "b"], ["▁a", "    ", "▁", "▁", "b"]),
        ("ab  bc", ["ab", "  ", "bc"], ["▁ab", "  ", "▁", "bc"]),
        ("a b", ["a", "▁", "b"], ["▁a", "▁", "b"]),
        ("a<tool>b", ["a", "<tool>", "b"], ["▁a", "<tool>", "▁", "b"]),
        ("\t\ta", ["\t\t", "a"], ["\t\t", "▁a"]),
    ],
)
def test_user_defined_pieces_are_cut_out_before_any_merge(
    tmp_path: Path, text: str, plain: list[str], prefixed: list[str]
) -> None:
    for prefix, wanted in ((False, plain), (True, prefixed)):
        folder = tmp_path / str(prefix)
        folder.mkdir()
        weights = random_weights(259 + 8 + len(RUNS))
        convert(write(folder / "m.gguf", weights, vocabulary=with_runs(prefix)), folder / "out")
        tokenizer = tokenizers.Tokenizer.from_file(str(folder / "out" / "tokenizer.json"))
        assert tokenizer.encode(text, add_special_tokens=False).tokens == wanted


@pytest.mark.parametrize(
    ("key", "name", "kept"),
    [
        ("padding_token_id", "pad_token", False),
        ("unknown_token_id", "unk_token", False),
        ("bos_token_id", "bos_token", False),
        ("eos_token_id", "eos_token", True),
    ],
)
def test_a_plain_piece_is_no_special_token(tmp_path: Path, key: str, name: str, kept: bool) -> None:
    """Token 0 of many vocabularies is an exclamation mark; named for padding, transformers would cut it out."""

    def change(writer: Any) -> None:
        writer.kv_data[0].pop(f"tokenizer.ggml.{key}", None)
        writer.add_uint32(f"tokenizer.ggml.{key}", ID["!"])

    convert(write(tmp_path / "m.gguf", random_weights(), change=change), tmp_path / "out")
    for file in ("tokenizer_config.json", "special_tokens_map.json"):
        assert (json.loads((tmp_path / "out" / file).read_text(encoding="utf-8")).get(name) == "!") == kept


def test_a_plain_piece_that_begins_texts_is_named(tmp_path: Path) -> None:
    def change(writer: Any) -> None:
        writer.kv_data[0].pop("tokenizer.ggml.bos_token_id")
        writer.add_bos_token_id(ID["!"])
        writer.add_add_bos_token(True)

    convert(write(tmp_path / "m.gguf", random_weights(), change=change), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "tokenizer_config.json").read_text(encoding="utf-8"))["bos_token"] == "!"


@pytest.mark.parametrize(
    ("blanks", "lengths"), [(5, [5]), (15, [14, 1]), (16, [16]), (17, [16, 1]), (30, [16, 14]), (33, [16, 16, 1])]
)
def test_of_equal_scores_the_leftmost_pair_merges_first(tmp_path: Path, blanks: int, lengths: list[int]) -> None:
    """Runs of spaces as Mistral has them, in its order and all of one score; the lengths are SentencePiece's."""
    runs = [2, 4, 8, 5, 16, 6, 12, 13, 10, 14, 3, 9, 7, 11, 1]

    def vocabulary(writer: Any) -> None:
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        writer.add_token_list(["<unk>", "<s>", "</s>", *("▁" * run for run in runs)])
        writer.add_token_types([2, 3, 3] + [1] * len(runs))
        writer.add_token_scores([0.0] * 3 + [-1e9] * len(runs))
        writer.add_add_space_prefix(False)

    convert(write(tmp_path / "m.gguf", random_weights(3 + len(runs)), vocabulary=vocabulary), tmp_path / "out")
    tokenizer = tokenizers.Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    assert list(map(len, tokenizer.encode(" " * blanks, add_special_tokens=False).tokens)) == lengths


def set_text(key: str, value: str) -> Callable[[Any], None]:
    def change(writer: Any) -> None:
        writer.kv_data[0].pop(key, None)
        writer.add_string(key, value)

    return change


def scaled(kind: str | None, **numbers: float) -> Callable[[Any], None]:
    def change(writer: Any) -> None:
        if kind is not None:
            writer.add_string("llama.rope.scaling.type", kind)
        for key, value in numbers.items():
            writer.add_float32(f"llama.rope.scaling.{key}", value)

    return change


def grown(writer: Any) -> None:
    scaled("yarn", factor=4.0)(writer)
    writer.add_rope_scaling_orig_ctx_len(128)


YARN = {
    "rope_type": "yarn",
    "factor": 4.0,
    "original_max_position_embeddings": 128,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
}
LINEAR = {"rope_type": "linear", "factor": 2.0}
SCALINGS: dict[str, tuple[Callable[[Any], None], dict[str, Any] | None]] = {
    "yarn": (grown, YARN),
    "yarn of the length it has": (
        scaled("yarn", factor=2.0, yarn_beta_fast=16.0, attn_factor=1.0),
        YARN | {"factor": 2.0, "original_max_position_embeddings": 512, "beta_fast": 16.0},
    ),
    "linear": (scaled("linear", factor=2.0), LINEAR),
    "a factor without a kind": (scaled(None, factor=2.0), LINEAR),
    "by its first name": (lambda writer: writer.add_float32("llama.rope.scale_linear", 2.0), LINEAR),
    "none": (scaled("none", factor=2.0), None),
    "by one": (scaled("linear", factor=1.0), None),
}


@pytest.mark.parametrize("case", SCALINGS)
def test_scaled_positions(tmp_path: Path, case: str) -> None:
    change, wanted = SCALINGS[case]
    convert(write(tmp_path / "m.gguf", random_weights(), change=change), tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))
    assert config["rope_scaling"] == wanted


def test_a_vocabulary_alone_is_no_model(tmp_path: Path) -> None:
    path = write(tmp_path / "vocab.gguf", {})
    assert "holds a vocabulary and no weights" in refused(lambda: convert(path, tmp_path / "out")).message


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (set_text("tokenizer.ggml.pre", "made-up"), "the pre-tokenizer 'made-up' is not supported"),
        (
            set_text("tokenizer.ggml.model", "t5"),
            "the tokenizer type 't5' is not supported, only 'gpt2' and 'llama'",
        ),
        (set_text("general.architecture", "rwkv6"), "the architecture 'rwkv6' is not supported"),
        (lambda w: w.kv_data[0].pop("tokenizer.ggml.pre"), "old file"),
        (lambda w: w.add_expert_count(8), "expert_count is not supported"),
        (scaled("longrope"), "rope scaling 'longrope' is not supported"),
        (scaled("yarn"), "its rope scaling 'yarn' has no factor"),
        (scaled("yarn", factor=4.0, attn_factor=0.8), "llama.rope.scaling.attn_factor is not YaRN's own"),
        (scaled("yarn", factor=4.0, yarn_log_multiplier=0.1), "llama.rope.scaling.yarn_log_multiplier is not"),
        (set_text("general.type", "adapter"), "m.gguf is an adapter (LoRA), no model"),
        (set_text("general.type", "mmproj"), "m.gguf is the part of a model that reads pictures or sound, no model"),
        (set_text("general.type", "imatrix"), "m.gguf is a table of what matters to a quantizer, no model"),
        (lambda w: w.add_uint32("llama.attention.value_length", 8), "keys and values of different length"),
        (lambda w: w.kv_data[0].pop("llama.embedding_length"), "llama.embedding_length is missing"),
        (set_text("llama.embedding_length", "64"), "llama.embedding_length is str, not a number"),
        (lambda w: w.add_uint16("split.count", 3), "one part of a split model"),
    ],
)
def test_models_that_would_come_out_wrong_are_refused(tmp_path: Path, change: Callable[[Any], None], says: str) -> None:
    path = write(tmp_path / "m.gguf", random_weights(), change=change)
    assert says in refused(lambda: convert(path, tmp_path / "out")).message
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_tensors_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    weights = random_weights()
    extra = {"blk.0.attn_q.bias": np.zeros(HIDDEN, np.float32)}
    path = write(tmp_path / "a.gguf", weights, extra=extra)
    assert "'blk.0.attn_q.bias' is not known for llama" in refused(lambda: convert(path, tmp_path / "out")).message

    path = write(tmp_path / "b.gguf", {n: d for n, d in weights.items() if "layers.1.mlp.up" not in n})
    assert "'blk.1.ffn_up.weight' is missing" in refused(lambda: convert(path, tmp_path / "out")).message

    path = write(tmp_path / "c.gguf", weights | {"model.norm.weight": np.zeros(HIDDEN * 2, np.float32)})
    assert "has the shape [128], not [64]" in refused(lambda: convert(path, tmp_path / "out")).message

    path = write(tmp_path / "d.gguf", weights | {"model.norm.weight": np.full(HIDDEN, np.nan, np.float32)})
    assert "not finite" in refused(lambda: convert(path, tmp_path / "out")).message


def test_what_is_no_gguf_is_refused(tmp_path: Path) -> None:
    for name, content in (
        ("empty", b""),
        ("short", b"GGUF"),
        ("text", b"hello world, this is not a model at all"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        assert "is not a GGUF file" in refused(partial(convert, path, tmp_path / "out")).message
    assert "cannot read" in refused(lambda: convert(tmp_path / "absent.gguf", tmp_path / "out")).message
    (tmp_path / "big").write_bytes(b"GGUF" + struct.pack(">IQQ", 3, 0, 0))
    assert "big endian" in refused(lambda: convert(tmp_path / "big", tmp_path / "out")).message


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    whole = write(tmp_path / "m.gguf", random_weights()).read_bytes()
    path = tmp_path / "cut.gguf"
    for size in [*range(24, len(whole), 4999), len(whole) - 1]:
        path.write_bytes(whole[:size])
        refused(lambda: read(path))


HUGE = 2**60


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(struct.pack("<QQ", HUGE, 0), id="tensor count"),
        pytest.param(struct.pack("<QQ", 0, HUGE), id="metadata count"),
        pytest.param(struct.pack("<QQQ", 0, 1, HUGE), id="key length"),
        pytest.param(struct.pack("<QQ", 0, 1) + text("k") + struct.pack("<IQ", 8, HUGE), id="string length"),
        pytest.param(struct.pack("<QQ", 0, 1) + text("k") + struct.pack("<IIQ", 9, 0, HUGE), id="byte array"),
        pytest.param(struct.pack("<QQ", 0, 1) + text("k") + struct.pack("<IIQ", 9, 8, HUGE), id="string array"),
        pytest.param(struct.pack("<QQ", 0, 1) + text("k") + struct.pack("<IIQ", 9, 9, 1), id="array of arrays"),
        pytest.param(struct.pack("<QQ", 0, 1) + text("k") + struct.pack("<I", 77), id="metadata type"),
        pytest.param(struct.pack("<QQ", 1, 0) + text("t") + struct.pack("<I", 2**31), id="dimension count"),
        pytest.param(
            struct.pack("<QQ", 1, 0) + text("t") + struct.pack("<IQQIQ", 2, HUGE, HUGE, 0, 0), id="dimensions"
        ),
        pytest.param(struct.pack("<QQ", 1, 0) + text("t") + struct.pack("<IQQIQ", 2, 32, 0, 0, 0), id="zero dimension"),
        pytest.param(struct.pack("<QQ", 1, 0) + text("t") + struct.pack("<IQIQ", 1, 8, 0, HUGE), id="offset"),
        pytest.param(struct.pack("<QQ", 1, 0) + text("t") + struct.pack("<IQIQ", 1, 8, 999, 0), id="tensor type"),
        pytest.param(struct.pack("<QQ", 1, 0) + text("t") + struct.pack("<IQIQ", 1, 33, 8, 0), id="half a block"),
    ],
)
def test_lying_sizes_never_allocate(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "lie.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<I", 3) + body + bytes(256))
    refused(lambda: read(path))


@pytest.mark.parametrize(
    ("count", "message"), [(2**31 - 1, "llama.block_count is 2147483647"), (9999, "claims 9999 layers")]
)
def test_a_lying_layer_count_never_allocates(tmp_path: Path, count: int, message: str) -> None:
    def change(writer: Any) -> None:
        writer.kv_data[0].pop("llama.block_count")
        writer.add_uint32("llama.block_count", count)

    path = write(tmp_path / "m.gguf", random_weights(), change=change)
    assert message in refused(lambda: convert(path, tmp_path / "out")).message


def test_damage_in_the_header_is_a_source_error_or_harmless(tmp_path: Path) -> None:
    whole = bytearray(write(tmp_path / "m.gguf", random_weights()).read_bytes())
    header = min(tensor.offset for tensor in read(tmp_path / "m.gguf").tensors.values())
    rng = random.Random(3)
    path = tmp_path / "flipped.gguf"
    for n in range(60):
        copy = bytearray(whole)
        for _ in range(rng.choice((1, 3))):
            copy[rng.randrange(4, header)] = rng.randrange(256)
        path.write_bytes(copy)
        try:
            convert(path, tmp_path / f"out{n % 2}")
        except SourceError as error:
            assert "\n" not in error.message


def test_the_conformance_set_is_whole() -> None:
    strings = json.loads((DATA / "strings.json").read_text(encoding="utf-8"))
    recorded = json.loads((DATA / "smollm2.ids.json").read_text(encoding="utf-8"))
    known = json.loads((DATA / "smollm2.known_mismatches.json").read_text(encoding="utf-8"))
    names = [item["id"] for item in strings]
    assert len(names) == len(set(names)) == 200 and list(recorded["ids"]) == names
    assert all(entry["expected"] == recorded["ids"][entry["id"]] != entry["runtime"] for entry in known)
    assert all(entry["cause"] for entry in known) and len(known) <= 4
