"""The token that a classifying decoder's texts are padded with, where config.json does not say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.sources.facts import newer

pytestmark = pytest.mark.unit
ADDED = [{"id": 7, "content": "<pad>"}, {"id": 2, "content": "</s>"}]
BPE = {"model": {"type": "BPE", "vocab": {"a": 0, "[PAD]": 5}}, "added_tokens": ADDED}
UNIGRAM = {"model": {"type": "Unigram", "vocab": [["a", 0.0], ["[PAD]", -1.0]]}}


def folder(path: Path, pad: Any, tokenizer: dict[str, Any], config: dict[str, Any]) -> Path:
    path.mkdir()
    kind = {"architectures": ["LlamaForSequenceClassification"], "model_type": "llama"}
    files = {"config.json": kind | config, "tokenizer_config.json": {"pad_token": pad}, "tokenizer.json": tokenizer}
    for name, content in files.items():
        (path / name).write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("pad", "tokenizer", "config", "at"),
    [
        ("<pad>", BPE, {}, 7),
        ({"content": "</s>", "lstrip": False}, BPE, {"pad_token_id": None}, 2),
        ("[PAD]", BPE, {}, 5),
        ("[PAD]", UNIGRAM, {}, 1),
    ],
)
def test_the_tokenizers_padding_is_the_models(
    tmp_path: Path, pad: Any, tokenizer: dict[str, Any], config: dict[str, Any], at: int
) -> None:
    made = newer.repairs(folder(tmp_path / "m", pad, tokenizer, config))
    assert made.files["config.json"]["pad_token_id"] == at and f"pad_token_id {at} added" in made.lines[0]


@pytest.mark.parametrize(
    ("pad", "tokenizer", "config"),
    [
        ("<pad>", BPE, {"pad_token_id": 0}),
        (None, BPE, {}),
        ("<none>", BPE, {}),
        ("<pad>", {"model": 5}, {}),
        ("<pad>", BPE, {"architectures": ["LlamaModel"]}),
    ],
)
def test_nothing_is_guessed(tmp_path: Path, pad: Any, tokenizer: dict[str, Any], config: dict[str, Any]) -> None:
    assert newer.repairs(folder(tmp_path / "m", pad, tokenizer, config)).files == {}
