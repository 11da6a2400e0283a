"""What pictures and recordings really show, as people have it: class sub-folders, a CSV, transcripts, boxes.

A gate that compares a built model with its float source passes both where both answer nonsense: inputs that are made
wrongly are seen by nothing but the user's own labels.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgekit.errors import UsageError
from edgekit.inputs import boxes
from edgekit.model import Model

What = Literal["classes", "text", "boxes"]
READ: dict[str, What] = {"ctc": "text", "dbnet": "boxes"}  # what a model with this decode answers; else classes
FORM = "a CSV with a file's name and its label in each row"
SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class Labels:
    """What the files of a folder show.

    Attributes:
        what: classes: each a name or a number; text: what is written or said; boxes: `boxes.Boxes` of each picture.
        by_file: of each file that has a label.
        asked: somebody named the labels (--labels), so it must be said where they are not used.
    """

    what: What
    by_file: dict[Path, Any]
    asked: bool = False


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
            return Labels("boxes", boxes.of_coco(table, folder, files, needed=True), asked=True)
        rows = _of_table(folder, files, table, what)
        if not rows:
            raise UsageError(f"{table.name} names none of the files in {folder.name}", next=f"give {FORM}")
        return Labels("classes" if what == "boxes" else what, rows, asked=True)
    for own in sorted(folder.glob("*.csv")) + sorted(folder.glob("*.tsv")):
        if rows := _of_table(folder, files, own, what):
            return Labels("classes" if what == "boxes" else what, rows)
    lying = {"text": _transcripts, "classes": _class_folders, "boxes": boxes.beside}
    for kind in (what, "boxes"):
        if shown := lying[kind](folder, files):
            return Labels("boxes" if kind == "boxes" else what, shown)
    return NO_LABELS


def _class_folders(folder: Path, files: Sequence[Path]) -> dict[Path, Any]:
    """The sub-folder of each file, where all lie in some, and these are two or more."""
    inside = {file: file.relative_to(folder).parts for file in files}
    if len({parts[0] for parts in inside.values()}) < 2 or any(len(parts) != 2 for parts in inside.values()):
        return {}
    return {file: parts[0] for file, parts in inside.items()}


def _transcripts(folder: Path, files: Sequence[Path]) -> dict[Path, Any]:
    return {file: text for file in files if (text := _transcript(file))}


def _transcript(file: Path) -> str:
    """The text of the .txt file of the same name."""
    path = file.with_suffix(".txt")
    return path.read_text(encoding="utf-8-sig", errors="replace").strip() if path.is_file() and path != file else ""


def _of_table(folder: Path, files: Sequence[Path], table: Path, what: What) -> dict[Path, str]:
    """The rows that name a file: by its path in the folder, by its name, a text also without suffix.

    A text that is the last of two columns may hold the separator.
    """
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the labels in {table.name} cannot be read: {error}", next=f"give {FORM}") from None
    separator = max(SEPARATORS, key=text.partition("\n")[0].count)
    lines = [row for line in text.splitlines() if len(row := _cells(line, separator)) > 1]
    whole = what == "text" and bool(lines) and min(map(len, lines)) == 2
    rows = {row[0].strip(): (separator.join(row[1:]) if whole else row[1]).strip() for row in lines}
    stems = what == "text"  # a number alone may be anything
    named = {file: (file.relative_to(folder).as_posix(), file.name, *([file.stem] if stems else [])) for file in files}
    return {file: rows[name] for file, keys in named.items() for name in reversed(keys) if name in rows}


def _cells(line: str, separator: str) -> list[str]:
    """One line's cells: a quotation mark that is never closed is a text's own, and so are all between tabs."""
    if separator == "\t":
        return [re.sub(r'^"(.*)"$', r"\1", cell) for cell in line.split("\t")]
    return next(csv.reader([line], delimiter=separator), [])


def classes(model: Model) -> int | None:
    """How many classes the first output has; None where it is no list of scores."""
    shape = model.outputs[0].shape if model.outputs else ()
    return shape[-1] if len(shape) in (1, 2) and isinstance(shape[-1], int) and shape[-1] > 1 else None


def places(words: Sequence[str], names: Sequence[str], count: int) -> tuple[dict[str, int], str]:
    """Where each label stands in an output of `count` classes, and in words how that is known; empty if it is not.

    By the model's own names, else as the numbers that they are, else, where there are as many, in alphabetical order
    (as torchvision's ImageFolder and Keras number the folders of a training set).
    """
    order = sorted(set(words))
    known = {_plain(name): place for place, name in enumerate(names)}
    if known and all(_plain(word) in known for word in order):
        return {word: known[_plain(word)] for word in order}, "by the model's own names"
    if all(word.isdecimal() and int(word) < count for word in order):
        return {word: int(word) for word in order}, "as the numbers of the classes"
    if len(order) == count:
        return {word: place for place, word in enumerate(order)}, "in alphabetical order"
    return {}, ""


def _plain(word: str) -> str:
    return word.casefold().replace("_", " ").replace("-", " ").strip()


def truth(shown: Labels, labels: Sequence[Any], decode: str, names: Sequence[str], count: int | None) -> Truth:
    """What each input shows in the model's terms; empty where there is no label.

    Args:
        shown: what is known of the files.
        labels: of each input, None without one.
        decode: how the outputs are read.
        names: the model's own names of its classes, in their order; may be empty.
        count: of classes.
    """
    what, known = shown.what, [label for label in labels if label is not None]
    answers = READ.get(decode, "classes")
    if not shown.by_file:
        return NO_TRUTH
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
    elif what == "boxes":
        values, how = tuple(label and [[0, *box[1:]] for box in label] for label in labels), "all of one class"
    elif what == "text":
        values, how = tuple(labels), "as they are"
    elif count is None:
        why = "the first output is no list of scores"
    else:
        at, how = places(known, names, count)
        values = tuple(at.get(label) for label in labels) if at else ()
        some = ", ".join(repr(word) for word in sorted(set(known))[:3])
        why = f"the model has {count} classes and does not say which are {some}"
    if values:
        return Truth(what, values, note=f"{told} are the model's, {how}")
    return Truth(what, why=why, note=f"{told} are not used: {why}", asked=shown.asked)
