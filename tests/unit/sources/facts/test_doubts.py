"""What shows in a decoder's files that they do not belong together: each sign, and that a whole folder shows none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit import build
from edgekit.errors import NotMeasured
from edgekit.sources import open_source
from edgekit.sources.facts import safetensors
from tests.unit.sources.tiny_models import safetensors_bytes, save_llama

pytestmark = pytest.mark.unit
HIDDEN, VOCAB = 64, 48
CHAT = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
PHI3 = "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}<|assistant|>\n"


def decoder(folder: Path, *, trained: bool, dtype: str = "F32", norm: float = 1.0) -> Path:
    """A Llama of one layer: as it is initialized, or with rows of many lengths and other norms."""
    save_llama(folder, {"hidden_size": HIDDEN, "vocab_size": VOCAB, "intermediate_size": 96, "num_hidden_layers": 1})
    draw = np.random.default_rng(0)
    rows = 2 * HIDDEN // 4  # of two key heads
    shapes = {
        "model.embed_tokens.weight": (VOCAB, HIDDEN),
        "model.norm.weight": (HIDDEN,),
        "model.layers.0.input_layernorm.weight": (HIDDEN,),
        "model.layers.0.post_attention_layernorm.weight": (HIDDEN,),
        "model.layers.0.self_attn.q_proj.weight": (HIDDEN, HIDDEN),
        "model.layers.0.self_attn.k_proj.weight": (rows, HIDDEN),
        "model.layers.0.self_attn.v_proj.weight": (rows, HIDDEN),
        "model.layers.0.self_attn.o_proj.weight": (HIDDEN, HIDDEN),
        "model.layers.0.mlp.gate_proj.weight": (96, HIDDEN),
        "model.layers.0.mlp.up_proj.weight": (96, HIDDEN),
        "model.layers.0.mlp.down_proj.weight": (HIDDEN, 96),
    }
    header: dict[str, Any] = {}
    data = b""
    for name, shape in shapes.items():
        values = draw.normal(0, 0.02, shape) if len(shape) > 1 else np.full(shape, norm)
        if trained and len(shape) == 1:
            values = values + draw.normal(0, 0.1, shape)
        if trained and "embed" in name:
            values *= draw.uniform(0.5, 1.5, (VOCAB, 1))
        raw = _bytes(values, dtype)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    (folder / "model.safetensors").write_bytes(safetensors_bytes(header, data))
    tokens = {f"t{at}": at for at in range(VOCAB - 2)}
    added = [{"id": VOCAB - 2, "content": "<|im_start|>"}, {"id": VOCAB - 1, "content": "<|im_end|>"}]
    document = {"model": {"type": "BPE", "vocab": tokens}, "added_tokens": added}
    (folder / "tokenizer.json").write_text(json.dumps(document))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>", "chat_template": CHAT}))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [VOCAB - 1]}))
    return folder


def _bytes(values: Any, dtype: str) -> bytes:
    if dtype == "BF16":
        return bytes((np.asarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16).tobytes())
    return bytes(np.asarray(values, {"F32": np.float32, "F16": np.float16}[dtype]).tobytes())


def json_file(name: str, **keys: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = json.loads((folder / name).read_text()) | keys
        (folder / name).write_text(json.dumps(data))

    return change


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_weights_as_they_are_initialized(tmp_path: Path, dtype: str) -> None:
    (line,) = open_source(str(decoder(tmp_path / "random", trained=False, dtype=dtype))).doubts
    assert "its weights look random: 3 normalizations" in line
    assert open_source(str(decoder(tmp_path / "trained", trained=True, dtype=dtype))).doubts == ()


def test_one_sign_alone_is_none(tmp_path: Path) -> None:
    """Norms that were folded into the weights behind them are ones, of a model whose embeddings were trained."""
    folded = decoder(tmp_path / "folded", trained=True)
    raw = (folded / "model.safetensors").read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header, data = json.loads(raw[8 : 8 + length]), bytearray(raw[8 + length :])
    for name in (name for name in header if "norm" in name):
        begin, end = header[name]["data_offsets"]
        data[begin:end] = np.ones(HIDDEN, np.float32).tobytes()
    (folded / "model.safetensors").write_bytes(safetensors_bytes(header, bytes(data)))
    assert open_source(str(folded)).doubts == ()
    assert open_source(str(decoder(tmp_path / "other", trained=False, norm=0.7))).doubts == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (json_file("tokenizer_config.json", chat_template=PHI3), "its chat template is another model's"),
        (
            json_file("tokenizer.json", model={"type": "BPE", "vocab": {f"t{at}": at for at in range(20)}}),
            "its tokenizer has 22 tokens, the model embeddings for 48",
        ),
        (
            lambda folder: (
                json_file("generation_config.json", eos_token_id=[7])(folder),
                json_file("tokenizer_config.json", eos_token=None)(folder),
            ),
            r"its end tokens 7 \('t7'\) are no special tokens",
        ),
    ],
)
def test_parts_of_two_models(tmp_path: Path, change: Callable[[Path], Any], message: str) -> None:
    folder = decoder(tmp_path / "m", trained=True)
    change(folder)
    (line,) = open_source(str(folder)).doubts
    with pytest.raises(NotMeasured, match=message) as error:
        build.prepare(str(folder), ["linux-cpu"], build.Options(out=tmp_path))
    assert error.value.exit_code == 11 and "--accept-source" in error.value.next and line in error.value.message
    (job,) = build.prepare(str(folder), ["linux-cpu"], build.Options(out=tmp_path, accept_source=True))
    assert job.source.accepted
    (job,) = build.prepare(str(folder), ["linux-cpu"], build.Options(out=tmp_path, quality="off"))
    assert not job.source.accepted


def test_a_template_that_names_one_token_more_is_left_to_the_gate(tmp_path: Path) -> None:
    folder = decoder(tmp_path / "m", trained=True)
    json_file("tokenizer_config.json", chat_template=CHAT + "{% if tools %}<|tool|>{% endif %}")(folder)
    assert open_source(str(folder)).doubts == ()


def test_rows_are_spread_over_a_tensor(tmp_path: Path) -> None:
    folder = decoder(tmp_path / "m", trained=True)
    few, all_ = (safetensors.rows(folder, "model.embed_tokens.weight", count) for count in (3, 1000))
    assert few is not None and all_ is not None and all_.shape == (VOCAB, HIDDEN)
    assert (few == all_[[0, 23, 47]]).all()
