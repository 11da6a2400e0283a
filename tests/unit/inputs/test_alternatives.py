"""The other usual ways to make an input: what they are, and that an array becomes what each would have made."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.inputs import alternatives, drawings, images
from edgekit.inputs.options import parse
from edgekit.model import AudioInput, ImageInput
from tests.unit.inputs.nets import model, tensor
from tests.unit.inputs.sound import tone

pytestmark = pytest.mark.unit
FORMS = [
    ImageInput(width=40, height=30, scale=1.0),
    ImageInput(width=40, height=30, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    ImageInput(width=40, height=30, channels="BGR", layout="NHWC", scale=1.0, mean=(127.0,), std=(128.0,)),
]


@pytest.mark.parametrize("own", FORMS)
def test_an_array_is_remade_as_the_other_way_makes_it(own: ImageInput) -> None:
    shape = (1, 3, 30, 40) if own.layout == "NCHW" else (1, 30, 40, 3)
    wanted = tensor("x", shape, own)
    picture = drawings.scene(["some words"], 1, 30, 40)
    ways = alternatives.others(wanted)
    assert 6 <= len(ways) <= 8 and own not in ways.values()
    array = images.prepare(picture, own, wanted)
    for words, other in ways.items():
        assert isinstance(other, ImageInput)
        expected = images.prepare(picture, other, wanted)
        np.testing.assert_allclose(alternatives.remade(array, own, other), expected, atol=0.01 * np.ptp(expected))
        spoken = parse([f"x:image,{words}"], model(wanted))["x"]
        assert isinstance(spoken, ImageInput) and spoken.channels == other.channels
        assert spoken.mean == pytest.approx(other.mean, rel=1e-4) and spoken.scale == pytest.approx(
            other.scale, rel=1e-4
        )


def test_of_other_inputs() -> None:
    pixels = alternatives.others(tensor("x", (1, 3, 8, 8), ImageInput(width=8, height=8), dtype="uint8"))
    assert [form.channels for form in pixels.values() if isinstance(form, ImageInput)] == ["BGR"]
    grey = alternatives.others(tensor("x", (1, 1, 8, 8), ImageInput(width=8, height=8, channels="L")))
    assert {form.scale for form in grey.values() if isinstance(form, ImageInput)} == {1.0}
    heard = tensor("x", (1, 400), AudioInput(sample_rate=16000))
    ((_, other),) = alternatives.others(heard).items()
    made = alternatives.remade(np.linspace(0, 3, 400, dtype=np.float32), heard.preprocess, other)  # type: ignore[arg-type]
    assert made.mean() == pytest.approx(0, abs=1e-5) and made.std() == pytest.approx(1, abs=1e-3)
    assert alternatives.others(tensor("x", (1, 4))) == {}


def test_a_whole_recording_is_heard_at_other_rates() -> None:
    own = AudioInput(sample_rate=16000)
    ways = alternatives.others(tensor("x", (1, "samples"), own))
    assert {"normalize=true", "sample_rate=8000", "sample_rate=44100"} <= set(ways)
    sound = tone(440, 16000, 0.25).astype(np.float32)
    made = alternatives.remade(sound[None], own, ways["sample_rate=8000"])
    assert made.shape == (1, 2000) and made.dtype == np.float32
    np.testing.assert_allclose(made[0, 100:-100], tone(440, 8000, 0.25)[100:-100], atol=1e-3)
    assert set(alternatives.others(tensor("x", (1, 4000), own))) == {"normalize=true"}  # a window stays as long


@pytest.mark.parametrize("own", FORMS)
def test_an_array_is_shown_as_the_picture_that_it_was_made_of(own: ImageInput) -> None:
    shape = (1, 3, 30, 40) if own.layout == "NCHW" else (1, 30, 40, 3)
    picture = drawings.scene(["some words"], 2, 30, 40)
    seen = images.shown(images.prepare(picture, own, tensor("x", shape, own)), own)
    assert seen.mode == "RGB" and seen.size == (40, 30)
    assert np.abs(np.asarray(seen, float) - np.asarray(picture.convert("RGB"), float)).max() <= 1
