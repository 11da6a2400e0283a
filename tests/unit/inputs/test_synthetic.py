"""Inputs that are made where none are given: they follow the declared form, vary, repeat, and say what they are."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from edgekit.inputs import sounds, synthetic
from edgekit.inputs.feeds import Feed, check
from edgekit.inputs.synthetic import probe_feeds
from edgekit.model import ImageInput, Model, TextInput
from tests.unit.inputs.nets import model, tensor

pytestmark = pytest.mark.unit
LINE = ImageInput(width=320, height=48, fit="pad-right", mean=(0.5,), std=(0.5,))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen instead of 256."""
    monkeypatch.setattr(synthetic, "MOST", 16)
    monkeypatch.setattr(synthetic, "LEAST", 8)


def made(what: Model, path: Path = Path("none.onnx")) -> tuple[list[Feed], str]:
    feeds, note = probe_feeds(what, None, path)
    assert feeds is not None, note
    for feed in feeds:
        check(feed, what, "a feed")
    return feeds, note


def fingerprint(feeds: list[Feed]) -> list[str]:
    return [hashlib.sha256(b"".join(feed[name].tobytes() for name in sorted(feed))).hexdigest() for feed in feeds]


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("form", [LINE, ImageInput(width=64, height=64), ImageInput(channels="L", width=40, height=40)])
def test_drawn_pictures_differ_from_each_other_and_repeat(form: ImageInput) -> None:
    what = model(tensor("x", (1, 1 if form.channels == "L" else 3, form.height, form.width), form))
    feeds, note = made(what)
    assert len(feeds) == 16 and "drawn pictures" in note and "--calibration" in note
    assert len(set(fingerprint(feeds))) == 16
    assert fingerprint(made(what)[0]) == fingerprint(feeds)
    assert all(np.std(feed["x"]) > 0.02 for feed in feeds)  # none is blank


@pytest.mark.usefixtures("few")
def test_a_strip_holds_a_line_of_text_and_padding() -> None:
    feeds, _ = made(model(tensor("x", (1, 3, 48, 320), LINE)))
    lengths = {int(np.flatnonzero(feed["x"].any(axis=(0, 1, 2))).max()) for feed in feeds}
    assert min(lengths) < 280 and max(lengths) > 310  # lines are of several lengths


def test_the_sounds_are_of_several_kinds_and_levels() -> None:
    heard = [sounds.recording(at, 16000, 2.0) for at in range(6)]
    assert all(one.dtype == np.float32 and np.abs(one).max() <= 1 for one in heard)
    loudness = [float(np.sqrt(np.mean(one**2))) for one in heard]
    assert max(loudness) > 4 * min(loudness) > 0


@pytest.mark.usefixtures("few")
def test_texts_need_the_tokenizer_and_its_absence_is_said(tmp_path: Path) -> None:
    feeds, note = probe_feeds(
        model(tensor("ids", (1, None), TextInput(feature="ids"), "int64")), None, tmp_path / "m.onnx"
    )
    assert feeds is None and "tokenizer.json" in note


def test_the_shipped_sentences_are_many_and_all_different() -> None:
    lines = synthetic.sentences()
    assert len(lines) > 200 and len(set(lines)) == len(lines)
