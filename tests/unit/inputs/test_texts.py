"""Texts become token ids, mask and types by the tokenizer beside the model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import SourceError, UsageError
from edgekit.inputs.calibration import open_calibration
from edgekit.inputs.texts import Tokenizer
from edgekit.model import TextInput
from tests.unit.inputs.nets import model, passthrough, tensor

pytestmark = pytest.mark.unit

WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "the", "sea", "is", "wide"]
IDS, MASK = TextInput(feature="ids", max_tokens=6), TextInput(feature="mask", max_tokens=6)
OPEN = model(tensor("ids", (1, None), IDS, "int64"), tensor("mask", (1, None), MASK, "int64"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A word-level tokenizer with BERT's [CLS] and [SEP], padding switched on as sentence-transformers ships it."""
    special = [
        {
            "id": at,
            "content": word,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for at, word in enumerate(WORDS[:4])
    ]
    made = {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 128, "strategy": "LongestFirst", "stride": 0},
        "padding": {
            "strategy": {"Fixed": 128}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0,
            "pad_token": "[PAD]",
        },
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {
            "type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1],
        },
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {word: at for at, word in enumerate(WORDS)}, "unk_token": "[UNK]"},
    }  # fmt: skip
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "tokenizer.json").write_text(json.dumps(made))
    return tmp_path


def test_one_line_is_one_call_without_padding(folder: Path) -> None:
    feed = Tokenizer(folder / "model").arrays("the sea", [(one, one.preprocess) for one in OPEN.inputs])  # type: ignore[misc]
    assert feed["ids"].tolist() == [[1, 4, 5, 2]] and feed["ids"].dtype == np.int64
    assert feed["mask"].tolist() == [[1, 1, 1, 1]]


def test_long_texts_are_cut_and_the_model_s_fixed_length_is_filled_up(folder: Path) -> None:
    tokenizer = Tokenizer(folder / "model")
    wanted = [(one, one.preprocess) for one in OPEN.inputs]
    assert tokenizer.arrays("the sea is wide is wide", wanted)["ids"].tolist() == [[1, 4, 5, 6, 7, 2]]  # type: ignore[arg-type]
    fixed = [(tensor("mask", (1, 5), MASK, "int32"), MASK)]
    assert tokenizer.arrays("the sea", fixed)["mask"].tolist() == [[1, 1, 1, 1, 0]]
    assert tokenizer.arrays("the sea is wide", fixed)["mask"].tolist() == [[1, 1, 1, 1, 1]]


def test_a_folder_of_texts(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "a.txt").write_text(
        "the sea\n\nis wide\nthe sea\n", encoding="utf-8"
    )  # a line twice counts once
    (folder / "data" / "b.txt").write_text("\ufeffwide the\n", encoding="utf-8")
    made = open_calibration(folder / "data", OPEN, None, passthrough(folder / "model" / "model.onnx", OPEN))
    assert made.items == 3
    every = sorted(feed["ids"].tolist() for feed in (*made.calibrate, *made.evaluate))
    assert every == [[[1, 4, 5, 2]], [[1, 6, 7, 2]], [[1, 7, 4, 2]]]


def test_faults_of_texts_and_tokenizers(folder: Path) -> None:
    data, path = folder / "data", folder / "model" / "model.onnx"
    data.mkdir()
    (data / "a.txt").write_text("\n \n")
    with pytest.raises(UsageError, match="hold no texts"):
        open_calibration(data, OPEN, None, path)
    (data / "a.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(SourceError, match=r"a\.txt is not UTF-8"):
        open_calibration(data, OPEN, None, path)
    (folder / "model" / "tokenizer.json").write_text("{")
    with pytest.raises(SourceError, match=r"tokenizer\.json cannot be read"):
        open_calibration(data, OPEN, None, path)
    (folder / "model" / "tokenizer.json").unlink()
    with pytest.raises(SourceError, match=r"no tokenizer\.json beside the model"):
        open_calibration(data, OPEN, None, path)
