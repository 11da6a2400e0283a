"""Texts become token ids, mask and types by the tokenizer beside the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.inputs.calibration import open_calibration
from tests.unit.inputs import word_level
from tests.unit.inputs.nets import passthrough
from tests.unit.inputs.test_texts import OPEN

pytestmark = pytest.mark.runtimes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return word_level.save(tmp_path)


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
