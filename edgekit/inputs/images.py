"""Pictures as inputs: opened with pillow, fitted, and turned into an array as `ImageInput` says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from edgekit.errors import SourceError
from edgekit.model import ImageInput, Tensor

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"})
MAX_PIXELS = 100_000_000  # a larger picture is more likely an attack or a mistake than an input
WHITE = (255, 255, 255, 255)


def load(path: Path, form: ImageInput, tensor: Tensor) -> NDArray[Any]:
    """The array of one picture file: [1, channels, height, width] or [1, height, width, channels].

    Raises:
        SourceError: no picture, a cut-off one, or one that is absurdly large; the file is named.
    """
    return prepare(read(path), form, tensor)


def read(path: Path) -> Image.Image:
    """The whole picture, upright, in RGB or L, what is transparent on white."""
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise SourceError(f"{path.name} has {picture.width} x {picture.height} pixels", next="scale it down")
            picture.load()
            return _plain(ImageOps.exif_transpose(picture))
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        reason = str(error).split(" '/")[0].splitlines()[0][:120] if str(error) else type(error).__name__
        raise SourceError(f"{path.name} is not a whole picture: {reason}", next="leave it out, or replace it") from None


def prepare(picture: Image.Image, form: ImageInput, tensor: Tensor) -> NDArray[Any]:
    """The array of an opened picture, of the input's dtype; mean and std are in the order of the array's channels."""
    height, width = size(picture.height, picture.width, form, tensor)
    fitted = _fit(picture.convert("L" if form.channels == "L" else "RGB"), height, width, form)
    values = np.asarray(fitted, dtype=np.float32).reshape(fitted.height, fitted.width, -1)
    if form.channels == "BGR":
        values = values[:, :, ::-1]
    mean, std = np.asarray(form.mean, np.float32), np.asarray(form.std, np.float32)
    values = (values * np.float32(form.scale) - mean) / std
    if values.shape[1] < width:  # pad-right: zeros after normalizing, as recognizers of lines are trained
        values = np.pad(values, ((0, 0), (0, width - values.shape[1]), (0, 0)))
    if form.layout == "NCHW":
        values = values.transpose(2, 0, 1)
    return cast(values[None], tensor.dtype)


def shown(values: NDArray[Any], form: ImageInput) -> Image.Image:
    """The picture that an array was made of, as far as the array still says it: `prepare` backwards.

    What lies beyond 0 to 255, as where zeros were put behind, is drawn as the nearest.
    """
    rows = values[0].transpose(1, 2, 0) if form.layout == "NCHW" else values[0]
    mean, std = np.asarray(form.mean, np.float32), np.asarray(form.std, np.float32)
    pixels = np.clip(np.round((rows.astype(np.float32) * std + mean) / np.float32(form.scale)), 0, 255)
    pixels = pixels[:, :, ::-1] if form.channels == "BGR" else pixels
    return Image.fromarray(np.ascontiguousarray(pixels.astype(np.uint8)).squeeze())


def remade(values: NDArray[Any], own: ImageInput, other: ImageInput) -> NDArray[Any]:
    """An array as another scale, mean, std and order of channels would have made it; sizes and layout stay."""
    last = (0, 1, 2, 3) if own.layout == "NHWC" else (0, 2, 3, 1)
    rows = values.astype(np.float32).transpose(last)
    pixels = (rows * np.asarray(own.std, np.float32) + np.asarray(own.mean, np.float32)) / np.float32(own.scale)
    pixels = pixels[..., ::-1] if own.channels != other.channels else pixels
    made = (pixels * np.float32(other.scale) - np.asarray(other.mean, np.float32)) / np.asarray(other.std, np.float32)
    return cast(made.transpose(np.argsort(last)), str(values.dtype))


def size(height: int, width: int, form: ImageInput, tensor: Tensor) -> tuple[int, int]:
    """Height and width of the array: of the form, else of the model, else the picture's own."""
    rows, columns = (2, 3) if form.layout == "NCHW" else (1, 2)
    fixed = [tensor.shape[at] if len(tensor.shape) == 4 else None for at in (rows, columns)]
    wanted = [
        have if have is not None else dim if isinstance(dim, int) else None
        for have, dim in zip((form.height, form.width), fixed, strict=True)
    ]
    ratio = min(1.0, form.max_side / max(height, width)) if form.max_side else 1.0
    own = [max(form.multiple, round(side * ratio / form.multiple) * form.multiple) for side in (height, width)]
    return wanted[0] or own[0], wanted[1] or own[1]


def cast(values: NDArray[Any], dtype: str) -> NDArray[Any]:
    """The values in the input's own type; integers are rounded and kept in range."""
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        values = np.clip(np.round(values), limits.min, limits.max)
    return np.ascontiguousarray(values.astype(kind))


def _fit(picture: Image.Image, height: int, width: int, form: ImageInput) -> Image.Image:
    resample = Image.Resampling[form.resample.upper()]
    if form.fit == "resize-crop":
        return _cut(picture.resize(_before(*picture.size, form), resample), height, width)
    if form.fit == "letterbox":
        across, down, left, top = _boxed(*picture.size, width, height, form)
        made = Image.new(picture.mode, (width, height), (form.fill or 0,) * len(picture.getbands()))
        made.paste(picture.resize((across, down), resample), (left, top))
        return made
    if form.fit == "stretch":
        return picture.resize((width, height), resample)
    if form.fit == "pad-right":
        return picture.resize((_shown(*picture.size, width, height), height), resample)
    return ImageOps.fit(picture, (width, height), resample, centering=(0.5, 0.5))


def _shown(wide: int, high: int, width: int, height: int) -> int:
    """pad-right: how many columns a picture fills; rounded up, as PaddleOCR does."""
    return min(width, -(-height * wide // high))


def _boxed(wide: int, high: int, width: int, height: int, form: ImageInput) -> tuple[int, int, int, int]:
    """letterbox: the width and height that a picture is scaled to, and how much lies at its left and top.

    In the centre they are rounded as Ultralytics does, at the top left cut off as YOLOX does.
    """
    ratio, center = min(height / high, width / wide), form.place == "center"
    across, down = (max(1, round(side * ratio) if center else int(side * ratio)) for side in (wide, high))
    return (across, down, (width - across) // 2, (height - down) // 2) if center else (across, down, 0, 0)


def _before(wide: int, high: int, form: ImageInput) -> tuple[int, int]:
    """Width and height that a picture is scaled to before its centre is cut out; as transformers rounds them."""
    if form.resized is not None:
        return form.resized[1], form.resized[0]
    if form.shortest is None:
        return wide, high
    short, long = sorted((wide, high))
    other = int(form.shortest * long / short)
    return (form.shortest, other) if wide <= high else (other, form.shortest)


def scaled(wide: int, high: int, width: int, height: int, form: ImageInput) -> tuple[float, float, float, float]:
    """Width and height of the whole picture in pixels of the input, and how many of them are cut at left and top.

    Args:
        wide, high: the picture's own size.
        width, height: of the input.
    """
    if form.fit == "stretch":
        return width, height, 0, 0
    if form.fit == "pad-right":
        return _shown(wide, high, width, height), height, 0, 0
    if form.fit == "resize-crop":
        across, down = _before(wide, high, form)
        return across, down, (across - width) // 2, (down - height) // 2
    if form.fit == "letterbox":
        across, down, left, top = _boxed(wide, high, width, height, form)
        return across, down, -left, -top
    ratio = max(width / wide, height / high)
    return wide * ratio, high * ratio, (wide * ratio - width) / 2, (high * ratio - height) / 2


def _cut(picture: Image.Image, height: int, width: int) -> Image.Image:
    """The centre of a picture; where it is smaller, black lies around it."""
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def _plain(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I") or picture.mode == "F":  # 16 and 32 bits a sample
        values = np.asarray(picture, dtype=np.float32)
        top = 65535.0 if values.max() > 255 else 255.0
        return Image.fromarray((np.clip(values / top, 0, 1) * 255).astype(np.uint8))
    if picture.mode in ("L", "1"):
        return picture.convert("L")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, WHITE), picture)
    return picture.convert("RGB")
