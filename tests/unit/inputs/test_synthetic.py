"""Inputs that are made where none are given: they follow the declared form, vary, repeat, and say what they are."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgekit.inputs import sounds, synthetic
from edgekit.inputs.feeds import Feed, check
from edgekit.inputs.synthetic import probe_feeds
from edgekit.model import AudioInput, FixedInput, ImageInput, Model, StateInput, TextInput
from tests.unit.inputs.nets import accumulator, model, save, tensor, value

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


@pytest.mark.usefixtures("few")
def test_sound_reaches_a_model_window_by_window_and_its_state_is_real(tmp_path: Path) -> None:
    path = accumulator(tmp_path / "sum.onnx")
    what = model(
        tensor("x", (1, "n"), AudioInput(sample_rate=8000, samples=800)),
        tensor("sum", (1, 1), StateInput(output="next", shape=(1, 1))),
        tensor("gain", (), FixedInput(value=1.0)),
        outputs=[tensor("y", (1, 1)), tensor("next", (1, 1))],
    )
    feeds, note = made(what, path)
    assert "synthesized sound" in note and len(feeds) == 16
    starts = [at for at, feed in enumerate(feeds) if not feed["sum"].any()]
    assert starts[0] == 0 and len(starts) > 1  # several recordings
    for before, after in pairwise(feeds):
        if after["sum"].any():
            np.testing.assert_allclose(after["sum"], before["sum"] + before["x"].mean(), rtol=1e-4, atol=1e-7)


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


def doubling(path: Path, kind: int = TensorProto.FLOAT) -> Path:
    """y = x + x for x of [batch, 3, side, side]."""
    shape = ["batch", 3, "side", "side"]
    return save(
        path, [helper.make_node("Add", ["x", "x"], ["y"])], [value("x", shape, kind)], [value("y", shape, kind)], {}
    )


@pytest.mark.usefixtures("few")
def test_an_undescribed_model_gets_smooth_arrays_and_the_note_says_how_little_that_is(tmp_path: Path) -> None:
    feeds, note = made(model(tensor("x", ("batch", 3, "side", "side"))), doubling(tmp_path / "a.onnx"))
    assert "nothing says what the inputs are" in note
    assert feeds[0]["x"].shape[:2] == (1, 3) and float(np.abs(feeds[0]["x"]).max()) <= 1
    assert len(set(fingerprint(feeds))) == len(feeds) == 8
    steps = np.abs(np.diff(feeds[0]["x"], axis=-1))
    assert steps.max() < 0.2 and steps.max() > 0  # waves, not noise


def test_nothing_is_made_where_nothing_honest_can_be(tmp_path: Path) -> None:
    text = model(tensor("x", (1, None), dtype="str"))
    assert probe_feeds(text, None, tmp_path / "m.onnx")[0] is None
    both = model(tensor("x", (1, 3, 8, 8), ImageInput()), tensor("y", (1, None)))
    feeds, note = probe_feeds(both, None, tmp_path / "m.onnx")
    assert feeds is None and "several forms" in note
    unread = model(tensor("x", (1, None)))
    feeds, note = probe_feeds(unread, None, doubling(tmp_path / "a.onnx"))  # the net wants four axes
    assert feeds is None and "cannot run these inputs" in note and "--calibration" in note
