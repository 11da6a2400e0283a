"""What outputs stand for, by the files beside an exported net."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.model import Model
from edgekit.sources.facts import decoded
from edgekit.sources.source import Source

pytestmark = pytest.mark.unit


def source(architecture: str) -> Source:
    model = Model(name="tiny", kind="tensor", sha256="0" * 64, architecture=architecture)
    return Source(ref="tiny", form="onnx", path=Path("model.onnx"), model=model)


@pytest.mark.parametrize(
    ("vocabulary", "settings", "said"),
    [
        ({"<pad>": 0, "|": 1, "A": 2}, {}, ("", " ", "A")),
        ({"[PAD]": 0, " ": 1, "ä": 2}, {"pad_token": "[PAD]", "word_delimiter_token": None}, ("", " ", "ä")),
        (
            {"[PAD]": 0, "a": 1, "_": 2},
            {"pad_token": {"content": "[PAD]"}, "word_delimiter_token": "_"},
            ("", "a", " "),
        ),
        ({"a": 0, "b": 1, "<pad>": 2}, {}, "its blank is not token 0"),
        ({"<pad>": 0, "a": 1}, {}, "vocab.json has 2 tokens, the model 3"),
        ({"deu": {"a": 0}}, {}, "of several languages"),
        (None, {}, "there is no vocab.json"),
    ],
)
def test_the_characters_of_a_speech_recognizer(
    tmp_path: Path, vocabulary: Any, settings: dict[str, Any], said: tuple[str, ...] | str
) -> None:
    if vocabulary is not None:
        (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    made = decoded.described(tmp_path, {"vocab_size": 3}, source("Wav2Vec2ForCTC"))
    if isinstance(said, tuple):
        assert made.decode == "ctc" and made.names == said and not made.model.left_out
    else:
        assert made.decode == "none" and said in made.model.left_out[0]


def test_the_classes_of_a_classifier(tmp_path: Path) -> None:
    for config, names in (
        ({"id2label": {"1": "dog", "0": "cat"}}, ("cat", "dog")),
        ({"id2label": {"3": "x"}}, ()),
        ({}, ()),
    ):
        made = decoded.described(tmp_path, config, source("ViTForImageClassification"))
        assert made.names == names and made.decode == "none"
