"""Inputs that are made where none are given: they follow the declared form, vary, repeat, and say what they are."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edgekit.inputs import synthetic
from edgekit.inputs.synthetic import probe_feeds
from edgekit.model import AudioInput, Dim, FixedInput, ImageInput, StateInput
from tests.unit.inputs.nets import accumulator, model, passthrough, save, tensor, value
from tests.unit.inputs.test_synthetic import fingerprint, made

pytestmark = pytest.mark.runtimes


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen instead of 256."""
    monkeypatch.setattr(synthetic, "MOST", 16)
    monkeypatch.setattr(synthetic, "LEAST", 8)


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


DTYPES = ("float32", "float16", "float64", "int64", "int32", "int16", "int8", "uint8", "uint32", "uint64", "bool")


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("shape", [(), (1,), ("n",), (1, 4)])
def test_every_type_of_number_is_made_with_any_number_of_axes_and_runs(tmp_path: Path, shape: tuple[Dim, ...]) -> None:
    """A step (PyTorch), an input length (Kaldi), a training flag (TensorFlow): exporters give them no axis."""
    what = model(*(tensor(dtype, shape, dtype=dtype) for dtype in DTYPES))
    path = passthrough(tmp_path / "m.onnx", what)
    feeds, _ = made(what, path)
    assert len(set(fingerprint(feeds))) > 1
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for name, array in feeds[0].items():
        assert isinstance(array, np.ndarray) and array.dtype == name and array.ndim == len(shape)
        [back] = session.run([f"{name}_out"], feeds[0])
        np.testing.assert_array_equal(back, array)
