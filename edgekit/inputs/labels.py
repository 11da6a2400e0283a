"""What pictures and recordings really show, as people have it: class sub-folders, a CSV, transcripts, boxes.

A gate that compares a built model with its float source passes both where both answer nonsense: inputs that are made
wrongly are seen by nothing but the user's own labels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edgekit.errors import UsageError
from edgekit.inputs import boxes, tables
from edgekit.inputs.layouts import LAYOUTS, SAY
from edgekit.model import Model

What = Literal["classes", "text", "boxes"]
# What a model with this decode answers; else classes.
READ: dict[str, What] = {"ctc": "text", "dbnet": "boxes", **dict.fromkeys(LAYOUTS, "boxes")}
FORM = "a CSV with a file's name and its label in each row"
SPLITS = ("train", "training", "val", "valid", "validation", "test")  # folders of a data set that are no classes
PLACE = re.compile(r"((label|class) ?)?\d*")  # a name that says no more than its place
FROM_ONE, BACKGROUND = ("torchvision", "tf-detection"), ("background", "n/a", "")
UNTOLD = 2**16  # classes of a detector whose outputs do not say how many there are


@dataclass(frozen=True)
class Labels:
    """What the files of a folder show.

    Attributes:
        what: classes: each a name or a number; text: what is written or said; boxes: `boxes.Boxes` of each picture.
        by_file: of each file that has a label.
        asked: somebody named the labels (--labels), so it must be said where they are not used.
        lost: what rows of a table name, and no file is.
        unsure: why a table that lies there is not read.
        numbers: of boxes: the number that the table has of each class, in their order; may be empty.
    """

    what: What
    by_file: dict[Path, Any]
    asked: bool = False
    lost: tuple[str, ...] = ()
    unsure: str = ""
    numbers: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Truth:
    """What the gate's inputs really show, in the terms of the model's outputs.

    Attributes:
        values: of each input its class (int), its text, or its boxes [n][class, left, top, right, bottom] in pixels of
            the input; None without a label. Empty where there is none.
        why: why the labels are not used.
        note: in words what became of them.
        asked: see `Labels`.
    """

    what: What = "classes"
    values: tuple[Any, ...] = ()
    why: str = ""
    note: str = ""
    asked: bool = False


NO_LABELS, NO_TRUTH = Labels("classes", {}), Truth()


def of_files(folder: Path, files: Sequence[Path], table: Path | None, decode: str = "none") -> Labels:
    """The label of each file that has one: from the table, else from what lies in the folder, else by its sub-folder.

    Args:
        table: a CSV, or a JSON file of COCO's form.
        decode: how the model's outputs are read, which says what a label is.

    Raises:
        UsageError: the table cannot be read, or names none of the files.
    """
    what = READ.get(decode, "classes")
    if table is not None:
        if table.suffix.lower() == ".json":
            drawn, numbers = boxes.of_coco(table, folder, files, needed=True)
            return Labels("boxes", drawn, asked=True, numbers=numbers)
        told = _of_table(folder, files, table, what)
        if not told.by_file:
            raise UsageError(f"{table.name} names none of the files in {folder.name}", next=f"give {FORM}")
        return Labels("classes" if what == "boxes" else what, told.by_file, asked=True, lost=told.lost)
    unsure = ""
    for own in sorted(folder.glob("*.csv")) + sorted(folder.glob("*.tsv")):
        told = _of_table(folder, files, own, what, asked=False)
        unsure = told.unsure or unsure
        if told.by_file:
            return Labels("classes" if what == "boxes" else what, told.by_file, lost=told.lost)
    lying = {"text": _transcripts, "classes": _class_folders}
    if what in lying and (shown := lying[what](folder, files)):
        return Labels(what, shown)
    drawn, numbers = boxes.beside(folder, files)
    return Labels("boxes", drawn, numbers=numbers) if drawn else Labels("classes", {}, unsure=unsure)


def _class_folders(folder: Path, files: Sequence[Path]) -> dict[Path, Any]:
    """The sub-folder of each file, below train, test and the like, where all lie in some, and these are two or more."""
    inside = {file: file.relative_to(folder).parts for file in files}
    if all(parts[0].casefold() in SPLITS for parts in inside.values()):
        inside = {file: parts[1:] for file, parts in inside.items()}
    if len({parts[0] for parts in inside.values()}) < 2 or any(len(parts) != 2 for parts in inside.values()):
        return {}
    return {file: parts[0] for file, parts in inside.items()}


def _transcripts(folder: Path, files: Sequence[Path]) -> dict[Path, Any]:
    return {file: text for file in files if (text := _transcript(file))}


def _transcript(file: Path) -> str:
    """The text of the .txt file of the same name."""
    path = file.with_suffix(".txt")
    return path.read_text(encoding="utf-8-sig", errors="replace").strip() if path.is_file() and path != file else ""


def _of_table(folder: Path, files: Sequence[Path], table: Path, what: What, *, asked: bool = True) -> tables.Told:
    """What a table says; UsageError where it cannot be read, or where that is not sure of one that was `asked` for."""
    try:
        return tables.told(folder, files, tables.read(table), texts=what == "text", asked=asked)
    except tables.Unsure as error:
        if not asked:
            return tables.Told({}, unsure=f"{table.name} is not read as labels: {error}; {error.next}")
        raise UsageError(f"{table.name}: {error}", next=error.next) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"the labels in {table.name} cannot be read: {why}", next=f"give {FORM}") from None


def classes(model: Model) -> int | None:
    """How many classes the first output has; None where it is no list of scores."""
    shape = model.outputs[0].shape if model.outputs else ()
    return shape[-1] if len(shape) in (1, 2) and isinstance(shape[-1], int) and shape[-1] > 1 else None


def places(
    words: Sequence[str], names: Sequence[str], count: int, *, ordered: bool = True
) -> tuple[dict[str, int], str]:
    """Where each label stands in an output of `count` classes, and in words how that is known; empty if it is not.

    By the model's own names, else as the numbers that they are, else, where there are as many, in alphabetical order
    (as torchvision's ImageFolder and Keras number the folders of a training set) if they are `ordered` so.
    """
    order = sorted(set(words))
    known = {_plain(name): place for place, name in enumerate(names)}
    if known and all(_plain(word) in known for word in order):
        return {word: known[_plain(word)] for word in order}, "by the model's own names"
    if all(word.isdecimal() and int(word) < count for word in order):
        return {word: int(word) for word in order}, "as the numbers of the classes"
    numbers = all(word.isdecimal() for word in order) and sorted(order, key=int) != order
    # 1, 10, 2: nobody knows which of the two orders is the model's. Nor what a name means that the model has not.
    if ordered and len(order) == count and not numbers and all(PLACE.fullmatch(name) for name in known):
        return {word: place for place, word in enumerate(order)}, "in alphabetical order"
    return {}, ""


def _drawn(
    shown: Labels, labels: Sequence[Any], decode: str, names: Sequence[str], count: int | None
) -> tuple[tuple[Any, ...], str, str]:
    """The boxes with the numbers of their classes, how these are known, and why they are not."""
    if decode == "dbnet":
        return tuple(label and [[0, *box[1:]] for box in label] for label in labels), "all of one class", ""
    words = sorted({box[0] for label in labels for box in label or ()})
    before = int(decode in FROM_ONE and not (names and _plain(names[0]) in BACKGROUND))
    most = count if count is not None else len(names) or UNTOLD
    at, how = places(words, names, most, ordered=False)
    at = {word: place + before for word, place in at.items()}
    if not at and decode in FROM_ONE and not names:
        at, how = dict(shown.numbers), "by the table's own numbers"
    elif not at and len(shown.numbers) == count:
        at, how = {word: place for place, word in enumerate(shown.numbers)}, "in the order of the table's categories"
    if missing := [word for word in words if word not in at]:
        some = ", ".join(map(repr, missing[:3]))
        return (), "", f"the model has {count or len(names) or 'some'} classes and does not say which are {some}"
    return tuple(label and [[at[box[0]], *box[1:]] for box in label] for label in labels), how, ""


def _plain(word: str) -> str:
    return word.casefold().replace("_", " ").replace("-", " ").strip()


def truth(
    shown: Labels, labels: Sequence[Any], decode: str, names: Sequence[str], count: int | None, unsure: str = ""
) -> Truth:
    """What each input shows in the model's terms; empty where there is no label.

    Args:
        shown: what is known of the files.
        labels: of each input, None without one.
        decode: how the outputs are read.
        names: the model's own names of its classes, in their order; may be empty.
        count: of classes.
        unsure: why it is not known how the outputs are read, where they look like a detector's.
    """
    what, known = shown.what, [label for label in labels if label is not None]
    answers = READ.get(decode, "classes")
    if not shown.by_file:
        return Truth(note=shown.unsure)
    told = {
        "classes": f"{len(known)} labels of {len(set(map(str, known)))} classes",
        "text": f"the texts of {len(known)} inputs",
        "boxes": f"the boxes of {len(known)} inputs",
    }[what]
    values: tuple[Any, ...] = ()
    if not known:
        why = "no input that the gate compares on is labelled (a recording that is cut has no text of its own)"
    elif what != answers:
        why = f"outputs that are read as {decode!r} do not say {what}; a card's `decode` says how they are read"
        why = f"{unsure}; {SAY}" if unsure and what == "boxes" else why
    elif what == "boxes":
        values, how, why = _drawn(shown, labels, decode, names, count)
    elif what == "text":
        values, how = tuple(labels), "as they are"
    elif count is None:
        why = "the first output is no list of scores"
    else:
        at, how = places(known, names, count)
        values = tuple(at.get(label) for label in labels) if at else ()
        strange = {word for word in known if _plain(word) not in {_plain(name) for name in names}}
        some = ", ".join(repr(word) for word in sorted(strange)[:3])
        why = f"the model has {count} classes and does not say which are {some}"
    if values:
        lost = f"; {len(shown.lost)} rows name no file here ({shown.lost[0][:60]})" if shown.lost else ""
        return Truth(what, values, note=f"{told} are the model's, {how}{lost}")
    return Truth(what, why=why, note=f"{told} are not used: {why}", asked=shown.asked)
