"""Texts become token ids, mask and types by the tokenizer beside the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import SourceError, UsageError
from edgekit.inputs.calibration import open_calibration
from edgekit.inputs.texts import Tokenizer
from edgekit.model import TextInput
from tests.unit.inputs import word_level
from tests.unit.inputs.nets import model, tensor

pytestmark = pytest.mark.unit

IDS, MASK = TextInput(feature="ids", max_tokens=6), TextInput(feature="mask", max_tokens=6)
OPEN = model(tensor("ids", (1, None), IDS, "int64"), tensor("mask", (1, None), MASK, "int64"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return word_level.save(tmp_path)


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
