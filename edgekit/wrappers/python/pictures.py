"""A picture as the input of a net, as its contract's `preprocess` says: to the bit what Pillow makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import cos, pi, sin
from typing import Any

import numpy as np

from .manifest import Refused
from .npz import Array

MOST_PIXELS = 100_000_000  # a larger picture is more likely a mistake than an input
BITS = 32 - 8 - 2  # of a weight's fraction


@dataclass(frozen=True)
class Filter:
    """How much a pixel at this distance counts, and how far it reaches."""

    weight: Callable[[float], float]
    support: float


def _hamming(x: float) -> float:
    x = abs(x)
    if x == 0 or x >= 1:
        return float(x == 0)
    x *= pi
    return sin(x) / x * (float(np.float32(0.54)) + float(np.float32(0.46)) * cos(x))


def _bicubic(x: float) -> float:
    a, x = -0.5, abs(x)
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * a if x < 2 else 0.0


def _sinc(x: float) -> float:
    return sin(x * pi) / (x * pi) if x else 1.0


FILTERS = {
    "box": Filter(lambda x: float(-0.5 < x <= 0.5), 0.5),
    "bilinear": Filter(lambda x: max(0.0, 1 - abs(x)), 1.0),
    "hamming": Filter(_hamming, 1.0),
    "bicubic": Filter(_bicubic, 2.0),
    "lanczos": Filter(lambda x: _sinc(x) * _sinc(x / 3) if -3 <= x < 3 else 0.0, 3.0),
}


def of_picture(tensor: Mapping[str, Any], pixels: Array) -> Array:
    """The array of an input of the contract.

    Args:
        pixels: uint8 [height, width, 3]: upright sRGB; rows may lie apart.

    Raises:
        Refused: the contract does not say how, or these are no pixels.
    """
    form = tensor.get("preprocess") or {}
    if form.get("kind") != "image":
        raise _wrong(
            f"the bundle's contract does not say how a picture becomes the input {tensor['name']!r}",
            "give run its array, or build the bundle with --input-spec",
        )
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise _wrong(f"a picture is {pixels.dtype} {list(pixels.shape)}", "give uint8 [height, width, 3]")
    if pixels.shape[0] * pixels.shape[1] > MOST_PIXELS:
        raise _wrong(f"a picture has {pixels.shape[0] * pixels.shape[1]} pixels", f"give at most {MOST_PIXELS}")
    height, width = _size(pixels.shape[0], pixels.shape[1], form, tensor["shape"])
    channels = form.get("channels", "RGB")
    fitted = _fit(_grey(pixels) if channels == "L" else pixels, height, width, form)
    values = (fitted[:, :, ::-1] if channels == "BGR" else fitted).astype(np.float32)
    mean, std = (np.asarray(form.get(name, none), np.float32) for name, none in (("mean", [0]), ("std", [1])))
    values = (values * np.float32(form.get("scale", 1 / 255)) - mean) / std
    values = np.pad(values, ((0, 0), (0, width - values.shape[1]), (0, 0)))
    if form.get("layout", "NCHW") == "NCHW":
        values = values.transpose(2, 0, 1)
    return _cast(values[None], tensor["dtype"])


def of_fixed(tensor: Mapping[str, Any]) -> Array:
    """The array of an input that always has the same value.

    Raises:
        Refused: it is no such input.
    """
    form = tensor.get("preprocess") or {}
    if form.get("kind") != "fixed":
        raise _wrong(f"the model takes more than a picture: the input {tensor['name']!r}", "give run all inputs")
    return np.full(tuple(form.get("shape", ())), form.get("value", 0.0), dtype=tensor["dtype"])


def resized(pixels: Array, height: int, width: int, resample: str, box: tuple[float, float, float, float]) -> Array:
    """Part of a picture in another size. `box`: left, top, right, bottom; Pillow holds them as float32.

    Raises:
        Refused: no filter has this name.
    """
    left, top, right, bottom = (np.float32(edge) for edge in box)
    if left == int(left) and top == int(top) and right - left == width and bottom - top == height:
        return cropped(pixels, int(left), int(top), height, width)
    if resample == "nearest":
        rows, columns = _middles(pixels.shape[0], top, bottom, height), _middles(pixels.shape[1], left, right, width)
        return pixels[rows][:, columns]
    if resample not in FILTERS:
        raise Refused(f"the contract scales pictures by {resample!r}", next="take a newer edgekit")
    high, wide = pixels.shape[:2]
    form = FILTERS[resample]
    down = height != high or bool(top) or bool(bottom != height)
    across = width != wide or bool(left) or bool(right != width)
    rows_first = height < high and high - height > 2 * (wide - width)  # Pillow's choice, which rounding shows
    if down and rows_first:
        pixels = _weighed(pixels, top, bottom, height, form)
    if across:
        pixels = _weighed(pixels.swapaxes(0, 1), left, right, width, form).swapaxes(0, 1)
    return _weighed(pixels, top, bottom, height, form) if down and not rows_first else pixels


def cropped(pixels: Array, left: int, top: int, height: int, width: int, fill: int = 0) -> Array:
    """A rectangle of a picture; what lies outside of it is `fill`, black."""
    made = np.full((height, width, pixels.shape[2]), fill, np.uint8)
    rows = slice(max(top, 0), max(min(top + height, pixels.shape[0]), 0))
    columns = slice(max(left, 0), max(min(left + width, pixels.shape[1]), 0))
    inside = pixels[rows, columns]
    at = rows.start - top, columns.start - left
    made[at[0] : at[0] + inside.shape[0], at[1] : at[1] + inside.shape[1]] = inside
    return made


def _weighed(pixels: Array, begin: Any, end: Any, size: int, form: Filter) -> Array:
    """`size` new rows, each a weighted sum of old ones, in integers as Pillow computes it."""
    scale = float(end - begin) / size
    stretch = max(scale, 1.0)
    support = form.support * stretch
    made = np.empty((size, *pixels.shape[1:]), np.uint8)
    for row in range(size):
        center = float(begin) + (row + 0.5) * scale
        first = max(int(center - support + 0.5), 0)
        last = min(int(center + support + 0.5), len(pixels))
        weights = [form.weight((at - center + 0.5) * (1.0 / stretch)) for at in range(first, last)]
        total = sum(weights)
        parts = np.array([weight / total if total else weight for weight in weights]) * (1 << BITS)
        whole = np.trunc(parts + np.where(parts < 0, -0.5, 0.5)).astype(np.int32)
        summed = np.tensordot(whole, pixels[first:last].astype(np.int32), axes=1) + (1 << (BITS - 1))
        made[row] = np.clip(summed >> BITS, 0, 255)
    return made


def _middles(size: int, begin: Any, end: Any, wanted: int) -> Array:
    """Of each new pixel the one that its middle lies in; the middles are added up, as Pillow does."""
    step = float(end - begin) / wanted
    steps = np.full(wanted, step)
    steps[0] = float(begin) + step * 0.5
    return np.clip(np.cumsum(steps).astype(np.int64), 0, size - 1)


def _grey(pixels: Array) -> Array:
    """As Pillow makes grey of RGB."""
    return ((pixels @ np.array([[19595], [38470], [7471]], np.int32) + 0x8000) >> 16).astype(np.uint8)


def _size(high: int, wide: int, form: Mapping[str, Any], shape: list[Any]) -> tuple[int, int]:
    """Height and width of the array: of the form, else of the model, else the picture's own."""
    axes = (1, 2) if form.get("layout", "NCHW") == "NHWC" else (2, 3)
    most, multiple = form.get("max_side"), form.get("multiple", 1)
    ratio = min(1.0, most / max(high, wide)) if most else 1.0

    def side(name: str, axis: int, own: int) -> int:
        if form.get(name) is not None:
            return int(form[name])
        if len(shape) == 4 and isinstance(shape[axis], int) and shape[axis]:
            return int(shape[axis])
        return int(max(multiple, round(own * ratio / multiple) * multiple))

    return side("height", axes[0], high), side("width", axes[1], wide)


def _fit(pixels: Array, height: int, width: int, form: Mapping[str, Any]) -> Array:
    """It may be narrower than the width, where zeros come behind it."""
    fit, resample = form.get("fit", "stretch"), form.get("resample", "bilinear")
    high, wide = pixels.shape[:2]
    whole = (0.0, 0.0, wide, high)
    if fit == "stretch":
        return resized(pixels, height, width, resample, whole)
    if fit == "crop-center":
        return resized(pixels, height, width, resample, _middle(high, wide, height, width))
    if fit == "pad-right":
        return resized(pixels, height, min(width, -(-height * wide // high)), resample, whole)
    if fit == "letterbox":
        return _boxed(pixels, height, width, form)
    if fit != "resize-crop":
        raise Refused(f"the contract fits pictures by {fit!r}", next="take a newer edgekit")
    before = _before_the_cut(high, wide, form)
    if before[0] * before[1] > MOST_PIXELS:
        raise _wrong("the picture is too narrow to be scaled", "cut it nearer to a square")
    scaled = resized(pixels, *before, resample, whole)
    return cropped(scaled, (before[1] - width) // 2, (before[0] - height) // 2, height, width)


def _boxed(pixels: Array, height: int, width: int, form: Mapping[str, Any]) -> Array:
    """A whole picture in its own ratio, and around it pixels of one value."""
    fill, place = form.get("fill", 0), form.get("place", "center")
    if place not in ("center", "top-left") or not 0 <= fill <= 255:
        raise Refused(f"the contract puts pictures at {place!r} among {fill!r}", next="take a newer edgekit")
    (high, wide), center = pixels.shape[:2], place == "center"
    ratio = min(height / high, width / wide)
    # rounded as Ultralytics does, cut off as YOLOX does
    across, down = (max(1, round(side * ratio) if center else int(side * ratio)) for side in (wide, high))
    scaled = resized(pixels, down, across, form.get("resample", "bilinear"), (0.0, 0.0, wide, high))
    left, top = ((width - across) // 2, (height - down) // 2) if center else (0, 0)
    return cropped(scaled, -left, -top, height, width, fill)


def _middle(high: int, wide: int, height: int, width: int) -> tuple[float, float, float, float]:
    """The largest part that has the ratio of a size, from the middle: Pillow's ImageOps.fit."""
    own, wanted = wide / high, width / height
    across = wanted * high if own > wanted else float(wide)
    down = wide / wanted if own < wanted else float(high)
    left, top = (wide - across) * 0.5, (high - down) * 0.5
    return left, top, left + across, top + down


def _before_the_cut(high: int, wide: int, form: Mapping[str, Any]) -> tuple[int, int]:
    """Height and width that a picture is scaled to before its centre is cut out; as transformers rounds them."""
    if form.get("resized") is not None:
        return int(form["resized"][0]), int(form["resized"][1])
    if form.get("shortest") is None:
        return high, wide
    side = int(form["shortest"])
    other = int(side * max(high, wide) / min(high, wide))
    return (other, side) if wide <= high else (side, other)


def _cast(values: Array, dtype: str) -> Array:
    """The values in the input's own type; integers are rounded and kept in range."""
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        values = np.clip(np.round(values), limits.min, limits.max)
    return np.ascontiguousarray(values.astype(kind))


def _wrong(message: str, next: str) -> Refused:
    return Refused(message, next=next, code="usage")
