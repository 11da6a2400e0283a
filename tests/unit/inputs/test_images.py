"""Pictures become the arrays that their `preprocess` says."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from edgekit.errors import SourceError
from edgekit.inputs import images
from edgekit.model import ImageInput
from edgekit.wrappers.python import pictures
from tests.unit.inputs.nets import tensor

pytestmark = pytest.mark.unit

NCHW = tensor("x", (1, 3, None, None))
RED_LEFT = Image.fromarray(np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8).repeat(4, 0).repeat(4, 1))  # 8 x 4


def test_scale_mean_and_std_are_per_channel_in_the_order_of_the_array() -> None:
    form = ImageInput(channels="BGR", scale=1 / 255, mean=(0.1, 0.2, 0.3), std=(0.5, 1.0, 2.0))
    array = images.prepare(RED_LEFT, form, NCHW)
    assert array.shape == (1, 3, 4, 8) and array.dtype == np.float32
    np.testing.assert_allclose(array[0, :, 0, 0], [-0.1 / 0.5, -0.2, (1 - 0.3) / 2], rtol=1e-6)
    np.testing.assert_allclose(array[0, :, 0, 7], [(1 - 0.1) / 0.5, -0.2, -0.3 / 2], rtol=1e-6)


def test_nhwc_and_grey() -> None:
    grey = images.prepare(RED_LEFT, ImageInput(channels="L", layout="NHWC"), tensor("x", (1, None, None, 1)))
    assert grey.shape == (1, 4, 8, 1)
    np.testing.assert_allclose(grey[0, 0, [0, 7], 0] * 255, [76, 29], atol=1)  # ITU-R 601 luma of red and blue


def test_an_integer_input_gets_rounded_values_in_its_range() -> None:
    form = ImageInput(scale=2.0, layout="NHWC")
    array = images.prepare(RED_LEFT, form, tensor("x", (1, None, None, 3), dtype="uint8"))
    assert array.dtype == np.uint8
    assert set(np.unique(array)) == {0, 255}


def test_the_model_s_fixed_size_is_used_where_the_form_has_none() -> None:
    array = images.prepare(RED_LEFT, ImageInput(), tensor("x", (1, 3, 6, 10)))
    assert array.shape == (1, 3, 6, 10)


@pytest.mark.parametrize(
    ("given", "form", "wanted"),
    [
        ((1000, 500), ImageInput(multiple=32, max_side=960), (960, 480)),
        ((100, 33), ImageInput(multiple=32), (96, 32)),
        ((5, 900), ImageInput(multiple=32), (32, 896)),  # never smaller than one multiple
        ((640, 480), ImageInput(height=48), (48, 480)),
    ],
)
def test_own_sizes_are_limited_and_rounded(given: tuple[int, int], form: ImageInput, wanted: tuple[int, int]) -> None:
    assert images.size(*given, form, NCHW) == wanted


def test_pad_right_keeps_the_ratio_and_fills_with_zeros_after_normalizing() -> None:
    white = Image.new("RGB", (30, 20), "white")
    form = ImageInput(width=100, height=40, fit="pad-right", mean=(0.5,), std=(0.5,))
    array = images.prepare(white, form, NCHW)
    assert array.shape == (1, 3, 40, 100)
    np.testing.assert_allclose(array[..., :60], 1.0)
    assert not array[..., 60:].any()


def test_crop_center_keeps_the_ratio() -> None:
    picture = Image.new("RGB", (90, 30), "black")
    picture.paste("white", (30, 0, 60, 30))
    array = images.prepare(picture, ImageInput(width=10, height=10, fit="crop-center"), NCHW)
    np.testing.assert_allclose(array[..., 1:9], 1.0)


def test_transparent_parts_are_white_and_the_camera_s_rotation_is_undone(tmp_path: Path) -> None:
    Image.new("RGBA", (2, 2), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert images.read(tmp_path / "clear.png").getpixel((0, 0)) == (255, 255, 255)
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    RED_LEFT.save(tmp_path / "turned.jpg", exif=exif)
    assert images.read(tmp_path / "turned.jpg").size == (4, 8)


def test_sixteen_bits_a_sample(tmp_path: Path) -> None:
    Image.fromarray(np.full((3, 3), 65535, np.uint16)).save(tmp_path / "deep.png")
    assert images.read(tmp_path / "deep.png").getpixel((0, 0)) == 255


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    RED_LEFT.resize((64, 64)).save(tmp_path / "whole.png")
    data = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.jpg").write_text("no picture")
    for name in ("cut.png", "text.jpg"):
        with pytest.raises(SourceError, match=f"{name} is not a whole picture") as caught:
            images.read(tmp_path / name)
        assert "\n" not in caught.value.message and str(tmp_path) not in caught.value.message


def test_an_absurdly_large_picture_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 31)
    RED_LEFT.save(tmp_path / "large.png")
    with pytest.raises(SourceError, match="8 x 4 pixels"):
        images.read(tmp_path / "large.png")


BOXED = [
    # of a picture, in a net's input: the exporter's own scaled size, and the left and top of it
    ((1280, 720), (640, 640), "center", (640, 360), (0, 140)),  # ultralytics/data/augment.py, LetterBox
    ((500, 333), (640, 640), "center", (640, 426), (0, 107)),
    ((333, 500), (320, 416), "center", (277, 416), (21, 0)),
    ((500, 333), (416, 416), "top-left", (416, 277), (0, 0)),  # yolox/data/data_augment.py, preproc
    ((1000, 3), (64, 64), "center", (64, 1), (0, 31)),
]


@pytest.mark.parametrize(("own", "wanted", "place", "scaled", "at"), BOXED)
@pytest.mark.parametrize("fill", [114, 0, 255])
def test_a_letterbox_is_what_resize_and_paste_make(
    own: tuple[int, int],
    wanted: tuple[int, int],
    place: Literal["center", "top-left"],
    scaled: tuple[int, int],
    at: tuple[int, int],
    fill: int,
) -> None:
    picture = Image.fromarray(np.random.default_rng(3).integers(0, 256, (*own[::-1], 3), np.uint8))
    canvas = Image.new("RGB", wanted, (fill,) * 3)
    canvas.paste(picture.resize(scaled, Image.Resampling.BILINEAR), at)
    form = ImageInput(width=wanted[0], height=wanted[1], fit="letterbox", fill=fill, place=place)
    array = images.prepare(picture, form, NCHW)
    np.testing.assert_allclose(array[0].transpose(1, 2, 0) * 255, np.asarray(canvas), atol=0.01)
    contract = {"name": "x", "dtype": "float32", "shape": [1, 3, None, None], "preprocess": form.model_dump()}
    np.testing.assert_array_equal(pictures.of_picture(contract, np.asarray(picture)), array)
    assert np.array_equal(np.asarray(images.shown(array, form)), np.asarray(canvas))


def test_what_pads_is_written_in_full_and_of_a_letterbox_alone() -> None:
    form = ImageInput(fit="letterbox")
    assert (form.fill, form.place) == (114, "center") and not {"fill", "place"} & form.model_fields_set
    written = form.model_dump()
    assert (written["fill"], written["place"]) == (114, "center") and ImageInput.model_validate(written) == form
    for wrong in ({"fill": 0}, {"fit": "letterbox", "fill": 256}, {"fit": "letterbox", "place": "left"}):
        with pytest.raises(ValidationError):
            ImageInput.model_validate(wrong)
