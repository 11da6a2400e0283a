"""What the gate feeds a model, and what the user's labels say of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from edgekit import console, kinds
from edgekit.errors import NotMeasured, UsageError
from edgekit.inputs import labels, layouts, standins
from edgekit.inputs.calibration import Calibration, Feed, open_calibration
from edgekit.inputs.llm_texts import open_text
from edgekit.inputs.synthetic import NO_INPUTS, probe_feeds
from edgekit.kinds import Form
from edgekit.kinds.tensor import TensorContract
from edgekit.model import StateInput, TextInput
from edgekit.quality._reference import documents
from edgekit.sources.facts import detectors, half_range
from edgekit.sources.source import Source

FEW = "there are no two inputs to compare on (calibration data of four or more leaves two)"
SAME = "inputs to compare on are the same"
NAMED = (
    "name the model's classes in their order in a card (edgekit models new; [labels] values), or write the labels as "
    "numbers from 0; without --labels no accuracy is measured"
)
OTHERS = "give --calibration FOLDER with more inputs, and different ones, like those that the app will see"


def data_of(folder: Path | None, source: Source, labels_table: Path | None, text: Path | None) -> Calibration | None:
    """The user's calibration data: for kinds with a text of their own, texts without what the gate judges by.

    Args:
        text: the user's, that the gate judges by.

    Raises:
        UsageError: what this kind of model does not read.
        UsageError, SourceError: as open_calibration and open_text.
    """
    reads_text = kinds.of(source.model.kind).settings.OWN_TEXT
    if text is not None and not reads_text:
        raise UsageError(f"{source.model.name} takes tensors, --text is for language models", next="leave it out")
    if labels_table is not None and reads_text:
        raise UsageError(f"{source.model.name} takes texts, --labels is for tensors", next="leave it out")
    if folder is None:
        return None
    if reads_text:
        return open_text(folder, documents(text))
    return open_calibration(folder, source.model, source.decode, source.path, labels_table)


def truth_of(source: Source, calibration: Calibration | None) -> labels.Truth:
    """What the inputs that the gate compares on really show, by the user's labels."""
    if calibration is None:
        return labels.NO_TRUTH
    shown, decode, model = calibration.shown, source.decode, source.model
    names = (source.card.labels.values if source.card is not None else ()) or source.names
    detects = decode in layouts.LAYOUTS
    count = layouts.count(decode, model) if detects else labels.classes(model)
    asked = shown.what == "boxes" and bool(shown.by_file) and decode == "none"
    unsure = detectors.layout(source.path, model, names)[1] if asked else ""
    return labels.truth(shown, calibration.labels, decode, names, count, unsure)


def feeds_of(form: Form, source: Source, calibration: Calibration | None) -> tuple[list[Feed] | None, str]:
    """Inputs for the gate and the goldens that calibration has not seen, and what they are."""
    if form == "genai":
        return None, ""
    if calibration is not None and calibration.evaluate:
        feeds = list(calibration.evaluate)
        return feeds, f"compared on {len(feeds)} inputs that calibration did not see"
    return probe_feeds(source.model, source.card, source.path)


def shown(source: Source, calibration: Calibration | None) -> tuple[str, ...]:
    """What a plan says of the user's labels: whose classes they are, or why they are not used."""
    note = truth_of(source, calibration).note
    return (note,) if note else ()


def suit(calibration: Calibration, truth: labels.Truth = labels.NO_TRUTH) -> None:
    """Refuse data on which the gate could compare nothing, before anything slow.

    Raises:
        NotMeasured: the inputs that are kept for the gate are all the same, or one alone; labels that somebody named
            and that do not fit the model.
    """
    if truth.asked and truth.why:
        raise NotMeasured(f"the labels cannot be used: {truth.why}", next=NAMED)
    if calibration.evaluate and (why := useless(calibration.evaluate, ())):
        raise NotMeasured(f"the quality cannot be measured: {why}", next=OTHERS)


def remarks(form: Form, precision: str, source: Source, note: str, truth: labels.Truth) -> Iterator[str]:
    """What a reader of the findings must know of the inputs, the labels and the source."""
    half = (form, precision) == ("onnx", "float16")
    clipped = half_range.clipped(source.path) if half else ""
    yield from filter(None, (note, truth.note, source.randomness, clipped))


def shipped_of(
    source: Source, calibration: Calibration | None, feeds: list[Feed] | None, *, own: bool
) -> list[Feed] | None:
    """The inputs that a bundle carries for its goldens; said where the gate compares on the user's."""
    if calibration is None or feeds is None or not calibration.evaluate:
        return feeds
    shipped, said = (feeds, standins.OWN) if own else standins.of(source.model, source.card, source.path, feeds)
    console.say(said)
    return shipped


def useless(feeds: Sequence[Feed], notes: Sequence[str]) -> str:
    """Why nothing can be compared on these inputs; empty where something can."""
    if len(feeds) < 2:
        return next((note for note in notes if note.startswith(NO_INPUTS)), FEW)
    first = feeds[0]
    if all(np.array_equal(feed[name], first[name]) for feed in feeds[1:] for name in first):
        return f"all {len(feeds)} {SAME}"
    return ""


def wiring(contract: TensorContract) -> tuple[dict[str, str], str]:
    """State input -> output, and the input that masks token vectors."""
    states = {
        tensor.name: tensor.preprocess.output for tensor in contract.inputs if isinstance(tensor.preprocess, StateInput)
    }
    masks = [
        tensor.name
        for tensor in contract.inputs
        if isinstance(tensor.preprocess, TextInput) and tensor.preprocess.feature == "mask"
    ]
    return states, masks[0] if masks else ""
