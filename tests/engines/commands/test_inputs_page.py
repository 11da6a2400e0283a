"""docs/inputs.md: its commands run as they stand, and its tables have every key."""

from __future__ import annotations

import re
import shlex
import wave
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper
from PIL import Image

from edgekit import commands, console
from edgekit.inputs.options import FORMS
from tests.unit.inputs import nets
from tests.unit.inputs.nets import value

pytestmark = pytest.mark.runtimes
PAGE = (Path(__file__).parents[3] / "docs" / "inputs.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    edgekit (.*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("form", FORMS)
def test_each_table_has_every_key(form: str) -> None:
    table = re.search(rf"<!-- {form} -->\n(.*?)<!-- end -->", PAGE, re.DOTALL)
    assert table is not None
    rows = [line.split("|")[1] for line in table[1].splitlines()[2:]]
    assert {key for row in rows for key in re.findall(r"`(\w+)`", row)} == set(FORMS[form].model_fields) - {"kind"}


def test_its_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    files(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert len(COMMANDS) >= 7
    for line in COMMANDS:
        assert commands.main(shlex.split(line)) == 0, (line, capsys.readouterr().err)
        console.configure()
    seen = Image.open(tmp_path / "seen" / "p0.png")
    assert seen.size == (32, 32) and np.asarray(seen)[0, 0].tolist() == [200, 100, 50]
    assert "mean = [0.0]" in (tmp_path / "mine.toml").read_text()
    assert "# scale" not in (tmp_path / "mine.toml").read_text()


def files(at: Path) -> None:
    """What the page's commands speak of."""
    node = helper.make_node
    pooled = [node("GlobalAveragePool", ["x"], ["p"]), node("Flatten", ["p"], ["y"])]
    nets.save(at / "classifier.onnx", pooled, [value("x", [1, 3, 32, 32])], [value("y", [1, 3])], {})
    heard = [node("ReduceMean", ["sound"], ["y"], axes=[1], keepdims=1)]
    nets.save(at / "speech.onnx", heard, [value("sound", [1, 512])], [value("y", [1, 1])], {})
    (at / "words").mkdir()
    ids = value("input_ids", [1, "n"], TensorProto.INT64)
    same = [node("Identity", ["input_ids"], ["y"])]
    nets.save(at / "words" / "model.onnx", same, [ids], [value("y", [1, "n"], TensorProto.INT64)], {})
    streamed = [
        node("Add", ["x", "sum"], ["s"]),
        node("Mul", ["s", "rate"], ["next"]),
        node("Identity", ["next"], ["y"]),
    ]
    inputs = [value(name, shape) for name, shape in (("x", [1, 1]), ("sum", [1, 1]), ("rate", []))]
    nets.save(at / "stream.onnx", streamed, inputs, [value("y", [1, 1]), value("next", [1, 1])], {})
    tokenizer(at / "words" / "tokenizer.json")
    for folder in ("photos", "recordings", "texts", "arrays"):
        (at / folder).mkdir()
    Image.new("RGB", (40, 36), (200, 100, 50)).save(at / "photos" / "p0.png")
    with wave.open(str(at / "recordings" / "r0.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(np.zeros(1600, np.int16).tobytes())
    (at / "texts" / "lines.txt").write_text("a b\nb\n")
    np.savez(at / "arrays" / "a0.npz", x=np.ones((1, 1), np.float32))
    (at / "names.txt").write_text("red\ngreen\nblue\n")


def tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    made = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, "b": 2}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.save(str(path))
