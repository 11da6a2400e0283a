"""Pixels as a decoder leaves them, made upright sRGB of three bytes each: to the bit as the core makes them.

A pixel format is one of rgb8, bgr8 (three bytes a pixel), rgba8, bgra8 (the last is alpha: what is transparent lies on
white), rgbx8, bgrx8 (the last says nothing), and behind it, a blank each, what else is so: premultiplied (the colours
are, by alpha), exif-1 to exif-8 (what EXIF calls its orientation), display-p3 (its colours, which become sRGB's).
"""

from __future__ import annotations

import numpy as np

from .manifest import Refused
from .npz import Array

ORDERS = {"rgb8": "rgb", "bgr8": "bgr", "rgba8": "rgba", "bgra8": "bgra", "rgbx8": "rgbx", "bgrx8": "bgrx"}
TURNS = tuple(f"exif-{at}" for at in range(1, 9))
# Of Display P3, linear, to sRGB, linear: the product of CSS Color 4's XYZ_to_lin_sRGB and lin_P3_to_XYZ
# (www.w3.org/TR/css-color-4/#color-conversion-code). Both have D65 as their white and sRGB's curve.
TO_SRGB = (
    (1.2249401762805598, -0.2249401762805598, 0.0),
    (-0.042056954709688163, 1.0420569547096881, 0.0),
    (-0.019637554590334432, -0.078636045550631889, 1.0982736001409663),
)


def upright(pixels: Array, pixel_format: str) -> Array:
    """Upright sRGB, uint8 [height, width, 3].

    Args:
        pixels: uint8 [height, width, 3 or 4], as it is stored; rows may lie apart. Of any shape where the format is
            rgb8 alone, which is given back as it is.

    Raises:
        Refused: no such format, or these are no pixels of it.
    """
    if pixel_format == "rgb8":
        return pixels
    first, *more = pixel_format.split() or [""]
    order, turn, alpha, p3 = ORDERS.get(first), 1, "straight", False
    for word in more:
        if word in TURNS:
            turn = 1 + TURNS.index(word)
        elif word == "display-p3":
            p3 = True
        elif word == "premultiplied" and order is not None and "a" in order:
            alpha = word
        else:
            order = None
    if order is None:
        words = f"{', '.join(ORDERS)}; then premultiplied, exif-1 to exif-8, display-p3"
        raise Refused(f"there is no pixel format {pixel_format!r}", next=f"it is one of {words}", code="usage")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != len(order) or 0 in pixels.shape:
        told = f"{pixels.dtype} {list(pixels.shape)}"
        raise Refused(f"a picture is {told}", next=f"give uint8 [height, width, {len(order)}]", code="usage")
    made = pixels[:, :, [order.index(channel) for channel in "rgb"]]
    if "a" in order:
        made = _on_white(made, pixels[:, :, 3:], premultiplied=alpha == "premultiplied")
    return _turned(_to_srgb(made) if p3 else made, turn)


def _on_white(colours: Array, alpha: Array, *, premultiplied: bool) -> Array:
    """As Pillow's alpha_composite (AlphaComposite.c) puts them there."""
    values, opaque = colours.astype(np.uint32), alpha.astype(np.uint32)
    if premultiplied:
        return np.asarray(np.minimum(values + 255 - opaque, 255), np.uint8)
    total = 128 * (values * opaque + 255 * (255 - opaque) + 128)
    return np.asarray((total + (total >> 8)) >> 15, np.uint8)


def _to_srgb(colours: Array) -> Array:
    """Clipped in each channel, to the nearest byte."""
    lights, edges = _light(np.arange(256) / 255), _light((np.arange(255) + 0.5) / 255)
    values = lights[colours]
    made = np.empty_like(colours)
    for at, (red, green, blue) in enumerate(TO_SRGB):
        light = red * values[:, :, 0] + green * values[:, :, 1] + blue * values[:, :, 2]
        made[:, :, at] = np.searchsorted(edges, light, side="right")
    return made


def _light(stored: Array) -> Array:
    """sRGB's curve (IEC 61966-2-1): of a value as it is stored, 0 to 1, to light."""
    return np.asarray(np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4))


def _turned(pixels: Array, orientation: int) -> Array:
    """What EXIF's orientation says of rows and columns, undone."""
    if orientation in (2, 3, 7, 8):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 6, 7):
        pixels = pixels[::-1]
    return pixels.swapaxes(0, 1) if orientation >= 5 else pixels
