"""Ways in which contracts make inputs of pictures, and pictures of odd sizes: what a runtime makes of them is compared
with Pillow's own (edgekit.inputs.images), which builds, gates and goldens use."""

from __future__ import annotations

from itertools import product
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgekit.inputs import drawings, images
from edgekit.model import ImageInput, Resample, Tensor

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZES = ((64, 48), (47, 33), (5, 200), (150, 7), (1, 1))  # height and width of pictures
WANTED = ((32, 24), (75, 91), (33, 33))

_fits: list[dict[str, Any]] = [
    *({"fit": fit, "height": high, "width": wide} for (high, wide), fit in product(WANTED, ("stretch", "crop-center"))),
    {"fit": "pad-right", "height": 24, "width": 100},
    {"fit": "resize-crop", "height": 32, "width": 28, "shortest": 37},
    {"fit": "resize-crop", "height": 40, "width": 41, "resized": (33, 60)},
    {"fit": "resize-crop", "height": 50, "width": 20},
    {"fit": "letterbox", "height": 40, "width": 33},
]
FORMS = {
    **{
        f"{fit['fit']} {fit['height']}x{fit['width']} {resample}": ImageInput(resample=resample, **fit)
        for fit, resample in product(_fits, get_args(Resample))
    },
    "normalized": ImageInput(height=20, width=31, mean=MEAN, std=STD),
    "rows of pixels": ImageInput(height=20, width=31, layout="NHWC", channels="BGR", mean=MEAN, std=STD),
    "grey": ImageInput(height=20, width=31, channels="L", resample="lanczos"),
    "zeros behind": ImageInput(fit="pad-right", height=24, width=100, layout="NHWC", mean=MEAN, std=STD),
    "at the top left": ImageInput(fit="letterbox", height=33, width=47, place="top-left", channels="BGR", scale=1.0),
    "in the grey": ImageInput(fit="letterbox", height=20, width=45, fill=7, channels="L", layout="NHWC"),
    "its own size": ImageInput(multiple=32, max_side=96, scale=1.0),
    "one of halves": ImageInput(multiple=10, scale=1.0),
}


def pictures() -> list[Image.Image]:
    """Noise and drawn scenes."""
    random = np.random.default_rng(5)
    noise = [Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)) for size in SIZES]
    return [*noise, drawings.scene(["edge", "kit"], 3, 120, 161), drawings.line("a line", 1, 31, 250)]


def tensor(form: ImageInput, dtype: str = "float32") -> Tensor:
    """An input that is made so, of any size."""
    shape = (1, None, None, None)
    return Tensor(name="x", dtype=dtype, shape=shape, preprocess=form)


def expected(picture: Image.Image, form: ImageInput, dtype: str = "float32") -> NDArray[Any]:
    """Pillow's array."""
    return images.prepare(picture, form, tensor(form, dtype))


def rows_apart(picture: Image.Image, gap: int = 13) -> NDArray[np.uint8]:
    """Its pixels, with other bytes between the rows."""
    pixels = np.asarray(picture)
    wide = np.full((pixels.shape[0], pixels.shape[1] * 3 + gap), 0xAB, np.uint8)
    wide[:, : pixels.shape[1] * 3] = pixels.reshape(pixels.shape[0], -1)
    return wide
