"""What a bundle carries in check/ where the user's own data were compared on: inputs that tell nothing of these.

Drawn ones, where the model says how its inputs are made; else noise of the same sizes, range, mean and spread.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import EdgekitError
from edgekit.inputs.feeds import MAX_FEEDS, Feed, check
from edgekit.inputs.streams import Carrier, fixed
from edgekit.inputs.synthetic import declared
from edgekit.model import Model

if TYPE_CHECKING:  # of a layer above
    from edgekit.catalog.cards import Card

NOTE = "check/ holds"
OWN = (
    f"{NOTE} inputs of your own data, as --own-inputs asks: whoever gets the bundle gets them; an app needs nothing of "
    "check/, so leave it out of what you ship"
)
SHIPS = "in place of your own data, which stay here; --own-inputs ships these"


def of(model: Model, card: Card | None, path: Path, own: Sequence[Feed]) -> tuple[list[Feed] | None, str]:
    """Inputs that stand in for the user's, and what they are; None where the source takes none that can be made.

    Args:
        path: the float source, which has to run the first of them.
        own: the user's, of which the first few are stood in for.
    """
    few = list(own[:MAX_FEEDS])
    try:
        made, what = declared(model, card, path)
        if made is not None and (feeds := list(islice(made, len(few)))):
            for feed in feeds:
                check(feed, model, "a drawn input")
            Carrier(model, path).try_run(feeds[0])
            return feeds, f"{NOTE} {what} {SHIPS}"
    except EdgekitError:
        pass  # of a form that cannot be drawn: noise has its sizes
    try:
        feeds = [{**_noise(feed, at), **fixed(model)} for at, feed in enumerate(few)]
        Carrier(model, path).try_run(feeds[0])
    except EdgekitError as error:
        return None, f"{NOTE} no inputs {SHIPS}: the model does not take noise ({error.message})"
    return feeds, f"{NOTE} noise of the sizes, range and spread of your inputs {SHIPS}"


def _noise(feed: Feed, at: int) -> Feed:
    return {name: _drawn(array, np.random.default_rng((at, place))) for place, (name, array) in enumerate(feed.items())}


def _drawn(array: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    """Other values like those of an array; one of a single value (a length, a state that begins at zero) is kept."""
    low, high = (array.min(), array.max()) if array.size and array.dtype.kind in "fiub" else (0, 0)
    if low == high:
        return array
    if array.dtype.kind == "b":
        return np.asarray(random.random(array.shape) < array.mean())
    if array.dtype.kind in "iu":
        return random.integers(int(low), int(high), array.shape, dtype=array.dtype.type, endpoint=True)
    values = array.astype(np.float64)
    mean, spread = (float(f"{value:.4g}") for value in (values.mean(), values.std()))  # sums differ by CPU
    return np.clip(random.normal(mean, spread, array.shape), low, high).astype(array.dtype)
