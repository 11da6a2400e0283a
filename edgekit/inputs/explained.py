"""How files become a model's inputs, to be looked at: each value with where it comes from, the input as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgekit.data import Strict
from edgekit.inputs import images, unmade
from edgekit.inputs.calibration import items, listing
from edgekit.inputs.feeds import Feed
from edgekit.inputs.options import told
from edgekit.model import Dim, FixedInput, ImageInput, Model, StateInput, Tensor

STEPS = {
    "image": "a picture is scaled to the size, its values become (value * scale - mean) / std, and lie as layout says",
    "audio": "a recording is resampled, its values lie from -1 to 1, and it is cut into windows of samples",
    "text": "a text is cut into tokens by the tokenizer.json beside the model",
    "fixed": "it always has this value",
    "state": "it is an output of the call before, and zeros at first",
}
NOBODY = "nobody says how files become this input: --input-spec, a card, or .npz files with the arrays themselves"


class Value(Strict):
    """One value, and who says it."""

    key: str
    value: str
    origin: str


class Told(Strict):
    """One input: what is done, and each value."""

    name: str
    dtype: str
    shape: tuple[Dim, ...]
    kind: str
    how: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Seen:
    """What one file became of one input, and the picture that it still shows."""

    file: str
    input: str
    shape: tuple[int, ...]
    least: float
    most: float
    mean: float
    picture: Image.Image | None


def inputs(model: Model, origins: dict[str, str]) -> list[Told]:
    """Each input in words; `origins` says by name who described it."""
    return [
        _told(tensor, origins.get(tensor.name, "the model's files"), unmade.said(model, tensor.name))
        for tensor in model.inputs
    ]


def _told(tensor: Tensor, origin: str, why: str) -> Told:
    form = tensor.preprocess
    kind, how = (form.kind, STEPS[form.kind]) if form is not None else ("", why or NOBODY)
    values = tuple(
        Value(key=key, value=value, origin=origin if whence == "said" else whence)
        for key, value, whence in told(tensor)
    )
    return Told(name=tensor.name, dtype=tensor.dtype, shape=tensor.shape, kind=kind, how=how, values=values)


def seen(folder: Path, model: Model, path: Path, most: int) -> Iterator[Seen]:
    """What the first files of a folder become, in the order of their names; of a recording or a text its first call.

    Raises:
        UsageError, SourceError: as open_calibration.
    """
    form, files = listing(folder)
    names = [file.relative_to(folder).as_posix() for file in files]
    for file, name in list(zip(files, names, strict=True))[:most]:
        for _, calls in items(form, [file], model, path)[:1]:
            yield from _first(name, calls[0]() if calls else {}, model)


def _first(file: str, feed: Feed, model: Model) -> Iterator[Seen]:
    for tensor in model.inputs:
        if tensor.name in feed and not isinstance(tensor.preprocess, (FixedInput, StateInput)):
            array = feed[tensor.name]
            least, most, mean = (float(value) for value in (array.min(), array.max(), array.mean(dtype=np.float64)))
            yield Seen(file, tensor.name, array.shape, least, most, mean, _picture(array, tensor))


def _picture(array: NDArray[Any], tensor: Tensor) -> Image.Image | None:
    return images.shown(array, tensor.preprocess) if isinstance(tensor.preprocess, ImageInput) else None
