"""Boxes that people drew around what pictures show: COCO's JSON, or a YOLO text file for each picture.

COCO: "images" (id, file_name, width, height) and "annotations" (image_id, category_id, bbox = left, top, width, height
in pixels). YOLO: a line for each box, "class centre-x centre-y width height", as shares of the picture; the file lies
beside the picture, or in labels/ where the pictures are in images/.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit import strangers
from edgekit.errors import UsageError
from edgekit.inputs import images
from edgekit.model import ImageInput, Tensor

Boxes = list[list[Any]]  # of one picture: [class, left, top, right, bottom], as shares of its width and height
LEAST_LEFT = 0.5  # of a box's area; what a cut leaves less of is no longer asked for


def of_coco(
    table: Path, folder: Path, files: Sequence[Path], *, needed: bool
) -> tuple[dict[Path, Boxes], dict[str, int]]:
    """The boxes of each file that COCO's JSON lists, crowds left out; a picture that is listed may have none.

    Args:
        needed: somebody named the table; else what is no COCO gives nothing.

    Returns: the boxes, and the number of each category by its name, in the order of the numbers.

    Raises:
        UsageError: it is not of this form, or names none of the files.
    """
    try:
        read = json.loads(strangers.text(table, 2**30, "utf-8-sig"))
        listed = {entry["id"]: entry for entry in read["images"]}
        kinds = {entry["id"]: str(entry["name"]) for entry in read.get("categories", ())}
        drawn: dict[Any, Boxes] = {name: [] for name in listed}
        for entry in read["annotations"]:
            of = listed[entry["image_id"]]
            left, top, width, height = (float(value) for value in entry["bbox"])
            box = [left / of["width"], top / of["height"], (left + width) / of["width"], (top + height) / of["height"]]
            if not entry.get("iscrowd"):
                drawn[entry["image_id"]].append([kinds.get(entry["category_id"], str(entry["category_id"])), *box])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError, RecursionError) as error:
        if not needed:
            return {}, {}
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
        raise UsageError(f"{table.name} is no COCO JSON of boxes: {said}", next="give images and annotations") from None
    by_name = {str(of["file_name"]): drawn[name] for name, of in listed.items() if "file_name" in of}
    by_name |= {Path(name).name: boxes for name, boxes in by_name.items()}
    names = {file: (file.name, file.relative_to(folder).as_posix()) for file in files}
    listed_files = {file: by_name[name] for file, known in names.items() for name in known if name in by_name}
    if needed and not listed_files:
        raise UsageError(f"{table.name} names none of the files in {folder.name}", next="look at its file_name")
    return listed_files, {kinds[number]: number for number in sorted(filter(_whole, kinds))}


def _whole(number: object) -> bool:
    return type(number) is int


def beside(folder: Path, files: Sequence[Path]) -> tuple[dict[Path, Boxes], dict[str, int]]:
    """The boxes of each picture by what lies with it: a JSON of COCO in the folder, else YOLO's text files."""
    for table in sorted(folder.glob("*.json")):
        listed, numbers = of_coco(table, folder, files, needed=False)
        if listed:
            return listed, numbers
    pictures = [file for file in files if file.suffix.lower() in images.SUFFIXES]
    texts = {file: _yolo(path) for file in pictures if (path := _text_of(file, folder))}
    return {file: boxes for file, boxes in texts.items() if boxes is not None}, {}


def _text_of(picture: Path, folder: Path) -> Path | None:
    """Where a picture's YOLO file lies in the folder, if it has one."""
    beside_it = picture.with_suffix(".txt")
    parts = ["labels" if part == "images" else part for part in beside_it.relative_to(folder).parts]
    return next((path for path in (beside_it, folder.joinpath(*parts)) if path.is_file()), None)


def _yolo(path: Path) -> Boxes | None:
    """The boxes of a file; None where a line is of another form."""
    boxes: Boxes = []
    try:
        for line in path.read_text(encoding="utf-8-sig").splitlines():
            if line.strip():
                kind, *numbers = line.split()
                x, y, width, height = (float(number) for number in numbers)
                boxes.append([str(int(kind)), x - width / 2, y - height / 2, x + width / 2, y + height / 2])
    except (OSError, ValueError):
        return None
    return boxes


def placed(boxes: Boxes, picture: tuple[int, int], form: ImageInput, tensor: Tensor) -> Boxes:
    """The boxes in pixels of the input: what a picture's fit cuts away is cut from them, too.

    Args:
        picture: its width and height, upright.
    """
    wide, high = picture
    height, width = images.size(high, wide, form, tensor)
    across, down, left, top = images.scaled(wide, high, width, height, form)
    moved = []
    for kind, *sides in boxes:
        at = [side * across - left if axis % 2 == 0 else side * down - top for axis, side in enumerate(sides)]
        cut = [min(max(side, 0.0), float(width if axis % 2 == 0 else height)) for axis, side in enumerate(at)]
        whole = (at[2] - at[0]) * (at[3] - at[1])
        if whole > 0 and (cut[2] - cut[0]) * (cut[3] - cut[1]) >= LEAST_LEFT * whole:
            moved.append([kind, *cut])
    return moved
