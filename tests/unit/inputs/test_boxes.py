"""Boxes as people have them, COCO's JSON and YOLO's texts, and where they lie in the input that a picture becomes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgekit.errors import UsageError
from edgekit.inputs import boxes, images, labels
from edgekit.model import ImageInput
from tests.unit.inputs.nets import tensor

pytestmark = pytest.mark.unit
WIDE, HIGH = 100, 50
BOX = (10.0, 5.0, 40.0, 20.0)  # left, top, width, height in pixels
SHARES = [0.1, 0.1, 0.5, 0.5]


def picture(path: Path) -> Path:
    """Black, and white where BOX is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.zeros((HIGH, WIDE, 3), np.uint8)
    values[5:25, 10:50] = 255
    Image.fromarray(values).save(path)
    return path


def coco(path: Path, **changed: Any) -> Path:
    table = {
        "images": [
            {"id": 7, "file_name": "images/a.png", "width": WIDE, "height": HIGH},
            {"id": 8, "file_name": "b.png"},
        ],
        "categories": [{"id": 3, "name": "word"}],
        "annotations": [
            {"image_id": 7, "category_id": 3, "bbox": BOX},
            {"image_id": 7, "category_id": 3, "bbox": [0, 0, 90, 40], "iscrowd": 1},
        ],
    }
    path.write_text(json.dumps({**table, **changed}))
    return path


def test_coco_beside_the_pictures_or_named(tmp_path: Path) -> None:
    files = [picture(tmp_path / name) for name in ("a.png", "b.png", "c.png")]
    coco(tmp_path / "instances.json")
    (tmp_path / "classes.json").write_text("[]")
    shown = labels.of_files(tmp_path, files, None, "dbnet")
    assert shown.what == "boxes" and not shown.asked
    assert shown.by_file == {files[0]: [["word", *SHARES]], files[1]: []}  # b.png is listed, and empty
    assert labels.of_files(tmp_path, files, tmp_path / "instances.json", "none").asked
    classes = [picture(tmp_path / name / "a.png") for name in ("cat", "dog")]
    assert labels.of_files(tmp_path, classes, None, "none").what == "classes"  # a classifier's are its folders


@pytest.mark.parametrize(
    "broken", ["", "[]", '{"images": []}', '{"images": [{"id": 1}], "annotations": [{"image_id": 2}]}']
)
def test_what_is_no_coco_is_refused_where_it_was_named(tmp_path: Path, broken: str) -> None:
    files = [picture(tmp_path / "a.png")]
    (tmp_path / "x.json").write_text(broken)
    assert labels.of_files(tmp_path, files, None, "dbnet").by_file == {}
    with pytest.raises(UsageError, match=r"x\.json is no COCO JSON of boxes"):
        labels.of_files(tmp_path, files, tmp_path / "x.json", "dbnet")
    with pytest.raises(UsageError, match="names none of the files"):
        labels.of_files(tmp_path, files, coco(tmp_path / "y.json", images=[], annotations=[]), "dbnet")


@pytest.mark.parametrize("place", ["images/a.txt", "labels/a.txt"])
def test_yolo_beside_the_pictures_or_in_labels(tmp_path: Path, place: str) -> None:
    file = picture(tmp_path / "images" / "a.png")
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("0 0.3 0.3 0.4 0.4\n")
    shown = labels.of_files(tmp_path, [file], None, "dbnet")
    (box,) = shown.by_file[file]
    assert box[0] == "0" and box[1:] == pytest.approx(SHARES)


@pytest.mark.parametrize(
    "form",
    [
        ImageInput(width=64, height=64),
        ImageInput(width=96, height=32, fit="pad-right"),
        ImageInput(width=40, height=40, fit="crop-center"),
        ImageInput(width=40, height=36, fit="resize-crop", shortest=44),
        ImageInput(multiple=32, max_side=64),
        ImageInput(width=64, height=64, fit="letterbox", fill=0),
        ImageInput(width=60, height=70, fit="letterbox", fill=0, place="top-left"),
    ],
)
def test_a_box_lies_where_its_pixels_come_to_lie(tmp_path: Path, form: ImageInput) -> None:
    """The white pixels of the input say where the box is, to within a pixel of the resampling."""
    made = images.load(picture(tmp_path / "a.png"), form, tensor("x", (1, 3, "h", "w")))[0, 0]
    rows, columns = np.nonzero(made > 0.5)
    ((_, *sides),) = boxes.placed([["word", *SHARES]], (WIDE, HIGH), form, tensor("x", (1, 3, "h", "w")))
    assert sides == pytest.approx([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], abs=1.5)


def test_a_box_that_is_cut_away_is_not_asked_for() -> None:
    form = ImageInput(width=20, height=20, fit="resize-crop")  # the middle of 100 x 50: 40 to 60, 15 to 35
    at = boxes.placed(
        [["in", 0.42, 0.4, 0.58, 0.6], ["out", 0.0, 0.0, 0.2, 0.2]], (WIDE, HIGH), form, tensor("x", (1, 3))
    )
    assert [box[0] for box in at] == ["in"]
