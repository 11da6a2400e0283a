"""GGUF of each architecture: a tiny random model, written as llama.cpp's converter writes it, comes back as itself."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import SourceError
from edgekit.jobs.gguf import convert
from edgekit.sources import open_source

pytestmark = pytest.mark.olive

HIDDEN, INNER, HEADS, KV_HEADS, HEAD = 64, 96, 4, 2, 16
TINY = {
    "hidden_size": HIDDEN,
    "intermediate_size": INNER,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "head_dim": HEAD,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
}
SPM_PIECES = ["▁", "a", "b", "c", "\n", "bc", "ab", "▁a", "▁ab", "▁b"]
SPM_SCORES = [-30.0, -31.0, -32.0, -33.0, -34.0, -1.0, -2.0, -3.0, -4.0, -5.0]
# llama.cpp conversion/*.py by way of gguf.tensor_mapping: part of a layer -> part of a block.
PARTS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.qkv_proj": "attn_qkv",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.gate_up_proj": "ffn_up",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
GEMMA = PARTS | {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}
TOPS = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


@pytest.fixture(scope="module")
def hf() -> Iterator[Any]:
    import transformers

    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    yield transformers
    transformers.logging.set_verbosity(before)


def sentencepiece(writer: Any, *, prefix: bool = True, spaces: int = 0) -> int:
    """A SentencePiece vocabulary as llama.cpp writes it; `spaces` adds user-defined runs of spaces, as Gemma has."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), *SPM_PIECES]
    tokens += [" " * (n + 2) for n in range(spaces)] + ["<end_of_turn>"]
    kinds = [2, 3, 3] + [6] * 256 + [1] * len(SPM_PIECES) + [4] * spaces + [3]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_scores([0.0] * 259 + SPM_SCORES + [0.0] * (spaces + 1))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_space_prefix(prefix)
    return len(tokens)


def byte_level(writer: Any) -> int:
    """A byte-level vocabulary of the pre-tokenizer "qwen2"."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = iter(range(256, 512))
    letters = [chr(b) if b in plain else chr(next(other)) for b in range(256)]
    merges = ["h e", "l l", "he ll", "1 2"]
    tokens = ["<|endoftext|>", "<|im_end|>", *letters, *(merge.replace(" ", "") for merge in merges)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3] + [1] * (len(tokens) - 2))
    writer.add_token_merges(merges)
    writer.add_eos_token_id(1)
    return len(tokens)


def numbers(writer: Any, config: Any, arch: str) -> None:
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_theta)
    if arch in ("gemma3", "qwen3"):
        writer.add_key_length(HEAD)
        writer.add_value_length(HEAD)
    if arch in ("gemma3", "phi3"):
        writer.add_sliding_window(config.sliding_window or 0)
    if arch == "phi3":
        writer.add_rope_dimension_count(HEAD)
        writer.add_rope_scaling_orig_ctx_len(config.original_max_position_embeddings)
    if arch == "gemma3" and config.rope_scaling:
        writer.add_string("gemma3.rope.scaling.type", "linear")
        writer.add_rope_scaling_factor(config.rope_scaling["factor"])


def permuted(rows: Any, heads: int) -> Any:
    halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


def save(path: Path, model: Any, arch: str, vocabulary: Callable[[Any], int], extra: Any = None) -> Path:
    """Write a model as GGUF: names, interleaved heads of "llama", norms of "gemma3" plus one."""
    import gguf

    writer = gguf.GGUFWriter(path, arch)
    numbers(writer, model.config, arch)
    vocabulary(writer)
    parts = GEMMA if arch == "gemma3" else PARTS
    for name, value in model.state_dict().items():
        base, kind = name.rsplit(".", 1)
        data = value.float().numpy()
        if base == "lm_head" and model.config.tie_word_embeddings:
            continue
        if base.startswith("model.layers."):
            index, part = base.removeprefix("model.layers.").split(".", 1)
            target = f"blk.{index}.{parts[part]}.{kind}"
        else:
            target = f"{TOPS[base]}.{kind}"
        heads = {"q_proj": HEADS, "k_proj": KV_HEADS}.get(base.split(".")[-1], 0) if arch == "llama" else 0
        data = permuted(data, heads) if heads else data
        data = data + np.float32(1) if arch == "gemma3" and base.endswith("norm") else data
        writer.add_tensor(target, np.ascontiguousarray(data))
    for name, data in (extra or {}).items():
        writer.add_tensor(name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def spm_size(**options: Any) -> int:
    return 3 + 256 + len(SPM_PIECES) + options.get("spaces", 0) + 1


def llama(hf: Any) -> tuple[Any, Any]:
    config = hf.LlamaConfig(**TINY, num_hidden_layers=2, vocab_size=spm_size(), tie_word_embeddings=False)
    return hf.LlamaForCausalLM(config), sentencepiece


def qwen2(hf: Any) -> tuple[Any, Any]:
    config = hf.Qwen2Config(**TINY, num_hidden_layers=2, vocab_size=262, tie_word_embeddings=True)
    return hf.Qwen2ForCausalLM(config), byte_level


def qwen3(hf: Any) -> tuple[Any, Any]:
    config = hf.Qwen3Config(**TINY, num_hidden_layers=2, vocab_size=262, tie_word_embeddings=True)
    return hf.Qwen3ForCausalLM(config), byte_level


def phi3(hf: Any) -> tuple[Any, Any]:
    sizes = {key: value for key, value in TINY.items() if key != "head_dim"}
    long = {"original_max_position_embeddings": 256, "pad_token_id": 0, "sliding_window": 100}
    config = hf.Phi3Config(**sizes, num_hidden_layers=2, vocab_size=spm_size(), **long)
    return hf.Phi3ForCausalLM(config), sentencepiece


def gemma3(hf: Any) -> tuple[Any, Any]:
    own = {"query_pre_attn_scalar": HEAD, "sliding_window": 4, "rope_scaling": {"rope_type": "linear", "factor": 8.0}}
    config = hf.Gemma3TextConfig(**TINY, num_hidden_layers=7, vocab_size=spm_size(spaces=3), **own)
    return hf.Gemma3ForCausalLM(config), lambda writer: sentencepiece(writer, prefix=False, spaces=3)


MODELS = {"llama": llama, "qwen2": qwen2, "qwen3": qwen3, "phi3": phi3, "gemma3": gemma3}


@pytest.mark.parametrize("arch", MODELS)
def test_the_model_comes_back(hf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arch: str) -> None:
    import torch

    torch.manual_seed(0)
    model, vocabulary = MODELS[arch](hf)
    for parameter in model.parameters():  # norms and biases too: their defaults would hide a mistake
        torch.nn.init.normal_(parameter, std=0.3)
    path = save(tmp_path / f"{arch}.gguf", model, arch, vocabulary)
    convert(path, tmp_path / "hf")
    back = hf.AutoModelForCausalLM.from_pretrained(str(tmp_path / "hf"), dtype=torch.float32).eval()
    assert type(back) is type(model)
    ids = torch.arange(3, 33).reshape(1, -1)  # more than Gemma's window here
    with torch.no_grad():
        ours, theirs = back(ids).logits, model.eval()(ids).logits
    assert torch.isfinite(theirs).all() and (ours - theirs).abs().max() < 1e-4 * theirs.abs().max()
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    source = open_source(str(path))
    assert source.model.architecture == type(model).__name__ and source.model.llm is not None
    assert source.model.llm.vocab_size == model.config.vocab_size
    assert source.model.llm.head_size == HEAD and source.model.llm.kv_heads == KV_HEADS


def test_gemma3_cuts_text_as_gemma_does(hf: Any, tmp_path: Path) -> None:
    """Runs of spaces are whole tokens, nothing is put before the text, <end_of_turn> ends an answer."""
    model, vocabulary = gemma3(hf)
    report = convert(save(tmp_path / "g.gguf", model, "gemma3", vocabulary), tmp_path / "hf")
    tokenizer = hf.AutoTokenizer.from_pretrained(str(tmp_path / "hf"))
    pieces = tokenizer.convert_ids_to_tokens(tokenizer.encode("ab  abc\n a   b<end_of_turn>"))
    assert pieces == ["<s>", "ab", "  ", "a", "bc", "\n", "▁a", "   ", "b", "<end_of_turn>"]
    assert tokenizer.decode(tokenizer.encode("ab  abc\n a"), skip_special_tokens=True) == "ab  abc\n a"
    assert report["eos_token_ids"] == [2, spm_size(spaces=3) - 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.add_final_logit_softcapping(30.0), "final_logit_softcapping is not supported"),
        (lambda w: w.add_uint32("gemma3.attention.sliding_window_pattern", 4), "pattern of local layers"),
        (lambda w: w.kv_data[0].pop("gemma3.attention.sliding_window"), "pattern of local layers"),
    ],
)
def test_gemma3_that_would_come_out_wrong(hf: Any, tmp_path: Path, change: Any, message: str) -> None:
    model, vocabulary = gemma3(hf)

    def changed(writer: Any) -> int:
        size = int(vocabulary(writer))
        change(writer)
        return size

    path = save(tmp_path / "g.gguf", model, "gemma3", changed)
    with pytest.raises(SourceError, match=message):
        convert(path, tmp_path / "hf")


def test_phi3_longrope_comes_back(hf: Any, tmp_path: Path) -> None:
    """The factors lie in tensors, the old length in metadata; both are needed past the old length."""
    import torch

    factors = {"long_factor": [1.0 + n for n in range(8)], "short_factor": [1.0] * 8, "type": "longrope"}
    sizes = {key: value for key, value in TINY.items() if key != "head_dim"}
    more = {"original_max_position_embeddings": 32, "rope_scaling": factors, "pad_token_id": 0, "sliding_window": None}
    config = hf.Phi3Config(**sizes, num_hidden_layers=1, vocab_size=spm_size(), **more)
    model = hf.Phi3ForCausalLM(config).eval()
    extra = {
        f"rope_factors_{kind}.weight": np.array(factors[f"{kind}_factor"], np.float32) for kind in ("long", "short")
    }

    def vocabulary(writer: Any) -> int:
        writer.add_string("phi3.rope.scaling.type", "longrope")
        writer.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(256 / 32) / math.log(32)))
        return sentencepiece(writer)

    convert(save(tmp_path / "p.gguf", model, "phi3", vocabulary, extra), tmp_path / "hf")
    written = json.loads((tmp_path / "hf" / "config.json").read_text())
    assert written["rope_scaling"] == factors and written["original_max_position_embeddings"] == 32
    back = hf.AutoModelForCausalLM.from_pretrained(str(tmp_path / "hf"), dtype=torch.float32).eval()
    for length in (20, 60):
        ids = torch.arange(length).reshape(1, -1) + 3
        with torch.no_grad():
            assert (back(ids).logits - model(ids).logits).abs().max() < 1e-4
