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
    resample = Image.Resampling.BILINEAR
    if form.fit == "stretch":
        return picture.resize((width, height), resample)
    if form.fit == "pad-right":
        shown = min(width, -(-height * picture.width // picture.height))  # rounded up, as PaddleOCR does
        return picture.resize((shown, height), resample)
    return ImageOps.fit(picture, (width, height), resample, centering=(0.5, 0.5))


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
