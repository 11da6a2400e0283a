"""Inputs for the gate and the goldens where no calibration folder is given: made, meaningful, always the same.

They follow each input's `preprocess`: drawn pictures, synthesized sound, the texts that ship with edgekit. A model that
declares nothing gets smooth arrays, and the note says so. They never calibrate.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit import files
from edgekit.errors import EdgekitError, SourceError
from edgekit.inputs import audio, drawings, images, sounds, texts
from edgekit.inputs.feeds import Feed, check
from edgekit.inputs.streams import Carrier, forms, free
from edgekit.model import AudioInput, ImageInput, Model, Tensor, TextInput

if TYPE_CHECKING:  # of a layer above
    from edgekit.catalog.cards import Card

LEAST, MOST = 64, 256  # feeds
BYTES = 256 * 2**20  # of all feeds, where LEAST are not more
NO_INPUTS = "no inputs could be made"  # how a note begins that says why
SECONDS = 4.0  # of one synthesized recording
OWN_SIZE = ((448, 640), (640, 448), (320, 320), (384, 736))  # of scenes, where neither form nor model has a size
DYNAMIC = (224, 64, 128, 16, 256, 512, 1)  # sizes tried for dimensions that the model leaves open
TEXT_ROWS = 64  # a strip at most this high, padded on the right, is a line of text


def probe_feeds(model: Model, card: Card | None, path: Path) -> tuple[list[Feed] | None, str]:
    """Synthetic inputs and a note on what they are; None where nothing honest can be made, and the note says why.

    Args:
        path: the float source, which is run for the states of a model that has some.
    """
    try:
        made, what = declared(model, card, path)
        if made is None:
            return _arrays(model, path)
        feeds = _affordable(made)
        for feed in feeds:
            check(feed, model, "a synthetic input")
    except EdgekitError as error:
        return None, f"{NO_INPUTS}: {error.message}"
    return feeds, f"compared on {len(feeds)} synthetic inputs ({what}); --calibration FOLDER compares on your own"


def tried(model: Model, path: Path) -> tuple[str, bool]:
    """Run the float source once on an input that is made for it.

    Returns: why it did not run, or empty; and whether somebody describes all inputs, so that the description is wrong.
    """
    described = False
    try:
        made, _ = declared(model, None, path)
        if made is None:
            feeds, note = _arrays(model, path)
            return ("" if feeds else note), False
        feed = next(made)
        described = True
        Carrier(model, path).try_run(feed)
    except EdgekitError as error:
        return error.message.partition(": ")[2] if described else error.message, described
    except ValueError as error:
        return f"they cannot be made so: {error}", True
    return "", False


def declared(model: Model, card: Card | None, path: Path) -> tuple[Iterator[Feed] | None, str]:
    """The feeds that follow the declared forms, and what they are; None where nothing is declared.

    Raises:
        SourceError: the model takes several forms at once.
    """
    kinds = {type(tensor.preprocess) for tensor in free(model)}
    if kinds == {ImageInput}:
        return _pictures(model, card), "drawn pictures"
    if kinds == {AudioInput}:
        return _recordings(model, path), "synthesized sound"
    if kinds == {TextInput}:
        return _texts(model, path), "the texts that ship with edgekit"
    if kinds == {type(None)}:
        return None, "smooth arrays"
    raise SourceError("the model takes several forms at once; give --calibration FOLDER")


def sentences() -> list[str]:
    """The lines of text that ship with edgekit, 12 to 300 characters each, in their order."""
    folder = files.resource("quality/data/text")
    whole = [one.read_text(encoding="utf-8") for one in sorted(folder.iterdir(), key=lambda one: one.name)]
    lines = [line.strip() for text in whole for line in text.splitlines()]
    return list(dict.fromkeys(line[:300] for line in lines if len(line) >= 12))


def _affordable(made: Iterator[Feed]) -> list[Feed]:
    """MOST feeds, fewer where they are large, but at least LEAST."""
    feeds: list[Feed] = []
    size = 0
    for feed in islice(made, MOST):
        size += sum(array.nbytes for array in feed.values())
        if len(feeds) >= LEAST and size > BYTES:
            break
        feeds.append(feed)
    return feeds


def _pictures(model: Model, card: Card | None) -> Iterator[Feed]:
    carrier = Carrier(model, Path())
    for at in range(MOST):
        yield carrier.complete(
            {tensor.name: _picture(at, form, tensor, card) for tensor, form in forms(model, ImageInput)}
        )


def _picture(at: int, form: ImageInput, tensor: Tensor, card: Card | None) -> NDArray[Any]:
    """A line of text for a strip (upside down half of the time where the strips are classified), else a scene."""
    wide = OWN_SIZE[at % len(OWN_SIZE)]
    height, width = images.size(*wide, form, tensor)
    words = _latin()
    if form.fit == "pad-right" and height <= TEXT_ROWS:
        picture = drawings.line(words[at * 7 % len(words)], at, height, width)
        if card is not None and card.decode == "classes" and at % 2:
            picture = picture.rotate(180)
    else:
        own = wide if form.fit == "letterbox" or (form.height, form.width) == (None, None) else (height, width)
        chosen = [words[(at * 7 + line) % len(words)][:34] for line in range(at % 5)]
        picture = drawings.scene(chosen, at, *own)
    return images.prepare(picture, form, tensor)


def _latin() -> list[str]:
    """Texts that pillow's own font can draw."""
    return [line for line in sentences() if line.isascii() and len(line.split()) > 2]


def _recordings(model: Model, path: Path) -> Iterator[Feed]:
    """Windows of several recordings; a model with state hears each recording from its beginning."""
    carrier = Carrier(model, path)
    wanted = forms(model, AudioInput)
    for at in range(MOST):
        heard = []
        for tensor, form in wanted:
            seconds = max(SECONDS, 2 * (form.samples or 0) / form.sample_rate)
            sound = sounds.recording(at, form.sample_rate, seconds)
            heard.append([audio.prepare(one, form, tensor) for one in audio.windows(sound, form)])
        calls = [
            {tensor.name: window for (tensor, _), window in zip(wanted, call, strict=True)}
            for call in zip(*heard, strict=False)
        ]
        yield from carrier.stream(calls[: -(-MOST // 6)])


def _texts(model: Model, path: Path) -> Iterator[Feed]:
    tokenizer = texts.Tokenizer(path.parent)
    carrier = Carrier(model, path)
    lines = sentences()
    for at in range(min(MOST, len(lines))):  # from all documents, not the first ones alone
        text = lines[at * len(lines) // min(MOST, len(lines))]
        yield carrier.complete(tokenizer.arrays(text, forms(model, TextInput)))


def _arrays(model: Model, path: Path) -> tuple[list[Feed] | None, str]:
    """Smooth arrays for a model whose inputs are not described, if its source runs them."""
    strange = [one for one in free(model) if np.dtype(one.dtype).kind not in "fiub"]
    if strange:
        return None, f"{NO_INPUTS}: {strange[0].name!r} is {strange[0].dtype}; give .npz files"
    carrier = Carrier(model, path)
    reasons = []
    for length in DYNAMIC:
        try:
            calls = [{one.name: _smooth(one, at, length) for one in free(model)} for at in range(LEAST)]
            first = dict(next(carrier.stream(iter(calls[:1]))))
            carrier.try_run(first)
            return list(carrier.stream(calls)), (
                f"compared on {LEAST} smooth synthetic arrays, as nothing says what the inputs are: what they show of "
                "the quality on real data is little; give --calibration FOLDER, or describe the inputs"
            )
        except EdgekitError as error:
            reasons.append(error.message)
    return None, f"{NO_INPUTS}: {reasons[0]}; give .npz files with --calibration FOLDER"


def _smooth(tensor: Tensor, at: int, length: int) -> NDArray[Any]:
    """Low waves along every axis, in [-1, 1]; of integers 0 and 1 in turn with `at`."""
    shape = [dim if isinstance(dim, int) else (1 if axis == 0 else length) for axis, dim in enumerate(tensor.shape)]
    kind = np.dtype(tensor.dtype)
    random = np.random.default_rng((drawings.SEED, 4, at, len(tensor.name)))
    values = np.full(shape, random.uniform(-0.3, 0.3))
    for axis, size in enumerate(shape):
        wave = np.sin(np.linspace(0, random.uniform(1, 12), size) + random.uniform(0, 6)) * random.uniform(0.2, 1)
        values = values + wave.reshape([-1 if one == axis else 1 for one in range(len(shape))])
    values = np.asarray(values / max(1.0, float(np.abs(values).max())))  # NumPy makes a number of an array without axes
    if kind.kind == "f":
        return values.astype(kind)
    if kind.kind == "u" and kind.itemsize == 1 and len(shape) == 4:  # a picture
        return ((values + 1) * 127.5).astype(kind)
    return np.asarray(values > 0).astype(kind)
