"""The usual ways to make a model's input of a picture or a sound, other than the way that somebody said.

With a user's labels they tell what no comparison with the source can: that the inputs are made otherwise than the model
was trained with.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.inputs import audio, images
from edgekit.model import AudioInput, ImageInput, Tensor

RATES = (8000, 16000, 22050, 24000, 44100, 48000)  # Hz, of recordings that are heard as a whole
PIXELS = np.array([[0.0], [255.0]])  # black and white
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean and standard deviation of its pixels, in RGB
# Values from 0 to 255, from 0 to 1, from -1 to 1, and as ImageNet's are normalized: scale, mean, std.
RANGES: tuple[tuple[float, tuple[float, ...], tuple[float, ...]], ...] = (
    (1.0, (0.0,), (1.0,)),
    (1 / 255, (0.0,), (1.0,)),
    (1 / 255, (0.5,) * 3, (0.5,) * 3),
    (1 / 255, *IMAGENET),
)


def others(tensor: Tensor) -> dict[str, ImageInput | AudioInput]:
    """The other ways to make this input, by the words of --input-spec that ask for them."""
    form = tensor.preprocess
    if isinstance(form, ImageInput):
        return dict(_pictures(form, real=np.dtype(tensor.dtype).kind == "f"))
    if isinstance(form, AudioInput) and np.dtype(tensor.dtype).kind == "f":
        whole = form.samples is None and not all(isinstance(size, int) for size in tensor.shape)
        ways = {f"sample_rate={rate}": {"sample_rate": rate} for rate in RATES if whole and rate != form.sample_rate}
        levels: dict[str, dict[str, Any]] = {} if form.normalize else {"normalize=true": {"normalize": True}}
        return {words: form.model_copy(update=changed) for words, changed in {**levels, **ways}.items()}
    return {}


def _pictures(own: ImageInput, *, real: bool) -> Iterator[tuple[str, ImageInput]]:
    """Integers are pixels: of them only the order of the channels may be another."""
    flipped = {"RGB": "BGR", "BGR": "RGB"}.get(own.channels)
    for channels in filter(None, (own.channels, flipped)):
        for scale, mean, std in (((own.scale, own.mean, own.std),) if flipped else ()) + (RANGES if real else ()):
            usual = (mean, std) if channels != "BGR" or (mean, std) == (own.mean, own.std) else (mean[::-1], std[::-1])
            values = {"channels": channels, "scale": scale, "mean": usual[0], "std": usual[1]}
            other = own.model_copy(update=values)
            if (len(mean) == 1 or channels != "L") and (channels != own.channels or not _same(other, own)):
                yield words(other), other


def _same(first: ImageInput, second: ImageInput) -> bool:
    """Whether both make about the same values of a black and of a white pixel."""
    ends = [np.broadcast_to((PIXELS * form.scale - form.mean) / np.array(form.std), (2, 3)) for form in (first, second)]
    return bool(np.allclose(ends[0], ends[1], rtol=0.02, atol=0.02))


def words(form: ImageInput) -> str:
    """What --input-spec asks for such pixels with."""
    scale = f"1/{1 / form.scale:.6g}" if form.scale < 1 else f"{form.scale:.6g}"
    listed = {key: ":".join(f"{value:.6g}" for value in getattr(form, key)) for key in ("mean", "std")}
    return f"channels={form.channels},scale={scale},mean={listed['mean']},std={listed['std']}"


def remade(values: NDArray[Any], own: ImageInput | AudioInput, other: ImageInput | AudioInput) -> NDArray[Any]:
    """An input that was made in one's own way, as the other way would have made it."""
    if isinstance(own, ImageInput) and isinstance(other, ImageInput):
        return images.remade(values, own, other)
    assert isinstance(own, AudioInput) and isinstance(other, AudioInput)
    heard = values.reshape(-1).astype(np.float32)
    if own.sample_rate != other.sample_rate:  # what the own rate has cut off stays away
        heard = audio.resample(heard, own.sample_rate, other.sample_rate)
    if other.normalize:
        heard = np.asarray((heard - heard.mean()) / np.sqrt(heard.var() + audio.VARIANCE_FLOOR))
    return heard.astype(values.dtype).reshape(values.shape if own.sample_rate == other.sample_rate else other.shape)
