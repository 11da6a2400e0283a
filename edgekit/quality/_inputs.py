"""What the gate feeds a model, and what the user's labels say of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.inputs import labels
from edgekit.inputs.calibration import Calibration, Feed
from edgekit.inputs.synthetic import NO_INPUTS, probe_feeds
from edgekit.kinds import Form
from edgekit.sources.source import Source

FEW = "there are no two inputs to compare on (calibration data of four or more leaves two)"
SAME = "inputs to compare on are the same"
OTHERS = "give --calibration FOLDER with more inputs, and different ones, like those that the app will see"


def truth_of(source: Source, calibration: Calibration | None) -> labels.Truth:
    """What the inputs that the gate compares on really show, by the user's labels."""
    if calibration is None:
        return labels.NO_TRUTH
    names = source.names or (source.card.labels.values if source.card is not None else ())
    return labels.truth(calibration.shown, calibration.labels, source.decode, names, labels.classes(source.model))


def feeds_of(form: Form, source: Source, calibration: Calibration | None) -> tuple[list[Feed] | None, str]:
    """Inputs for the gate and the goldens that calibration has not seen, and what they are."""
    if form == "genai":
        return None, ""
    if calibration is not None and calibration.evaluate:
        feeds = list(calibration.evaluate)
        return feeds, f"compared on {len(feeds)} inputs that calibration did not see"
    return probe_feeds(source.model, source.card, source.path)


def useless(feeds: Sequence[Feed], notes: Sequence[str]) -> str:
    """Why nothing can be compared on these inputs; empty where something can."""
    if len(feeds) < 2:
        return next((note for note in notes if note.startswith(NO_INPUTS)), FEW)
    first = feeds[0]
    if all(np.array_equal(feed[name], first[name]) for feed in feeds[1:] for name in first):
        return f"all {len(feeds)} {SAME}"
    return ""
