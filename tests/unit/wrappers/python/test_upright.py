"""Pixels as a decoder leaves them: turned and flattened as Pillow does it, Display P3 as CSS Color 4 converts it."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from edgekit.inputs import images
from edgekit.wrappers.python.manifest import Refused
from edgekit.wrappers.python.upright import ORDERS, TO_SRGB, upright

pytestmark = pytest.mark.unit

# www.w3.org/TR/css-color-4/#color-conversion-code, as it prints them.
P3_TO_XYZ = [
    [F(608311, 1250200), F(189793, 714400), F(198249, 1000160)],
    [F(35783, 156275), F(247089, 357200), F(198249, 2500400)],
    [F(0), F(32229, 714400), F(5220557, 5000800)],
]
XYZ_TO_SRGB = [
    [F(12831, 3959), F(-329, 214), F(-1974, 3959)],
    [F(-851781, 878810), F(1648619, 878810), F(36519, 878810)],
    [F(705, 12673), F(-2585, 12673), F(705, 667)],
]


def noise(*shape: int) -> Any:
    return np.random.default_rng(8).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [3, 4])
def test_turned_as_pillow_turns(orientation: int, channels: int) -> None:
    pixels = noise(5, 3, channels)
    picture = Image.fromarray(pixels[:, :, :3].copy())
    picture.getexif()[0x0112] = orientation
    made = upright(pixels, f"{'rgb8' if channels == 3 else 'rgbx8'} exif-{orientation}")
    assert np.array_equal(made, np.asarray(ImageOps.exif_transpose(picture)))


def test_on_white_as_pillow_puts_it_there() -> None:
    """Every value with every alpha, to the bit; blue first, too."""
    value, alpha = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    pixels = np.stack([value, value[:, ::-1], 255 - alpha, alpha], axis=2)
    picture = Image.fromarray(pixels)
    white = Image.alpha_composite(Image.new("RGBA", picture.size, images.WHITE), picture).convert("RGB")
    assert np.array_equal(upright(pixels, "rgba8"), np.asarray(white))
    assert np.array_equal(upright(pixels[:, :, [2, 1, 0, 3]], "bgra8"), np.asarray(white))
    assert np.array_equal(upright(pixels, "bgrx8"), pixels[:, :, 2::-1])


def test_premultiplied_differs_by_their_rounding_alone() -> None:
    straight = noise(64, 64, 4)
    colours, alpha = straight[:, :, :3].astype(np.float64), straight[:, :, 3:].astype(np.float64)
    multiplied = np.concatenate([np.round(colours * alpha / 255), alpha], axis=2).astype(np.uint8)
    made = upright(multiplied, "rgba8 premultiplied").astype(int)
    assert np.abs(made - upright(straight, "rgba8")).max() <= 1
    assert upright(np.full((1, 1, 4), 200, np.uint8), "rgba8 premultiplied").max() == 255  # which cannot be: clipped


def test_the_matrix_is_the_published_ones() -> None:
    product = [
        [sum(a * b for a, b in zip(row, column, strict=True)) for column in zip(*P3_TO_XYZ, strict=True)]
        for row in XYZ_TO_SRGB
    ]
    assert np.abs(np.array(product, dtype=np.float64) - np.array(TO_SRGB)).max() < 1e-15


def test_display_p3_as_it_is_published() -> None:
    """In floats from the published matrices, within half a step and the least that floats differ."""

    def light(stored: Any) -> Any:
        return np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4)

    def stored(light: Any) -> Any:
        return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)

    steps = np.arange(0, 256, 5, dtype=np.uint8)
    pixels = np.stack(np.meshgrid(steps, steps, steps), axis=3).reshape(1, -1, 3)
    xyz = light(pixels / 255) @ np.array(P3_TO_XYZ, dtype=np.float64).T
    wanted = 255 * stored(np.clip(xyz @ np.array(XYZ_TO_SRGB, dtype=np.float64).T, 0, 1))
    made = upright(pixels, "rgb8 display-p3")
    assert np.abs(made - wanted).max() < 0.51
    assert np.array_equal(made[pixels.std(axis=2) == 0], pixels[pixels.std(axis=2) == 0])  # greys stay
    assert upright(np.array([[[234, 51, 35]]], np.uint8), "rgb8 display-p3").tolist() == [[[255, 0, 0]]]  # sRGB's red


def test_rows_that_lie_apart_and_all_at_once() -> None:
    wide = noise(7, 40)
    pixels = np.lib.stride_tricks.as_strided(wide, (7, 9, 4), (40, 4, 1))
    flat = upright(upright(pixels, "bgra8 premultiplied"), "rgb8 display-p3")
    assert np.array_equal(upright(pixels, "bgra8 display-p3 exif-6 premultiplied"), np.rot90(flat, -1))
    assert upright(wide, "rgb8") is wide


@pytest.mark.parametrize("name", ["rgb", "", "rgb8 premultiplied", "rgbx8 premultiplied", "rgba8 exif-9", "rgb8  p3"])
def test_a_format_that_there_is_not(name: str) -> None:
    with pytest.raises(Refused, match="there is no pixel format") as refusal:
        upright(noise(2, 2, 3), name)
    assert refusal.value.code == "usage" and all(order in refusal.value.next for order in ORDERS)


@pytest.mark.parametrize("pixels", [noise(2, 2, 3), noise(2, 2), noise(0, 2, 4), noise(2, 2, 4).astype(np.float32)])
def test_no_pixels_of_it(pixels: Any) -> None:
    with pytest.raises(Refused, match="a picture is"):
        upright(pixels, "rgba8")
