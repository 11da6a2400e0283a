"""How a YOLO's pictures are made is inferred where its exporter says whose it is, is called so, and never guessed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit import build, target
from edgekit.catalog import new
from edgekit.inputs.options import described, parse
from edgekit.model import ImageInput, Model
from edgekit.sources import open_source
from edgekit.sources.facts.exporters import inferred
from edgekit.sources.onnx import fetch
from edgekit.sources.source import Options
from tests.unit.inputs import squares
from tests.unit.inputs.nets import model, tensor

pytestmark = pytest.mark.unit
SIZE = f"[{squares.SIDE}, {squares.SIDE}]"
# As exporters write them: ultralytics/engine/exporter.py, and yolov5/export.py.
ULTRALYTICS = {
    "description": "Ultralytics YOLOv8n model trained on squares.yaml",
    "author": "Ultralytics",
    "version": "8.3.40",
    "stride": "32",
    "task": "detect",
    "batch": "1",
    "imgsz": SIZE,
    "names": "{0: 'red', 1: 'blue'}",
}
YOLOV5 = {"stride": "32", "names": "{0: 'red', 1: 'blue'}"}
GREY = ImageInput(height=squares.SIDE, width=squares.SIDE, fit="letterbox")
CASES: dict[str, tuple[str, dict[str, str], ImageInput | None, str]] = {
    "YOLOv8": ("yolov8", ULTRALYTICS, GREY, "Ultralytics' metadata (task detect, imgsz [96, 96])"),
    "YOLOv10": ("yolov10", ULTRALYTICS, GREY, "Ultralytics' metadata"),
    "YOLOv5": ("yolov5", YOLOV5, ImageInput(fit="letterbox"), "YOLOv5's metadata"),
    "YOLOX": (
        "yolox",
        {},
        ImageInput(fit="letterbox", place="top-left", channels="BGR", scale=1.0),
        "its outputs (YOLOX)",
    ),
    "names alone": ("yolov8", {"names": ULTRALYTICS["names"]}, None, ""),
    "YOLOv5 as others write it": ("yolov5", YOLOV5 | {"author": "somebody"}, None, ""),
    "a size that the graph does not take": ("yolov8", ULTRALYTICS | {"imgsz": "[640, 640]"}, None, ""),
    "no size": ("yolov8", ULTRALYTICS | {"imgsz": "[" * 99}, None, ""),
    "RT-DETR of Ultralytics, which stretches": ("rt-detr", ULTRALYTICS, None, ""),
}


@pytest.mark.parametrize("case", CASES)
def test_an_input_is_made_as_its_exporter_makes_it_or_not_at_all(case: str, tmp_path: Path) -> None:
    layout, said, form, by = CASES[case]
    opened = fetch(str(squares.save(tmp_path / "net.onnx", layout, said)), Options())
    assert opened.model.inputs[0].preprocess == form
    assert opened.inferred.get("x", "").startswith(by) and bool(opened.inferred) == bool(form)


def test_masks_and_points_come_of_the_same_pictures_and_classes_and_other_inputs_do_not() -> None:
    picture, made = tensor("images", (1, 3, 96, 96)), ULTRALYTICS
    for task, sure in (("segment", True), ("pose", True), ("obb", True), ("classify", False), ("", False)):
        assert (inferred(model(picture), "none", made | {"task": task})[0] == GREY) == sure
    open_ = tensor("images", ("n", 3, "h", "w"))
    assert inferred(model(open_), "yolov8", made)[0] == GREY  # imgsz is in its metadata
    assert inferred(model(open_), "yolov5", YOLOV5) == inferred(model(open_), "yolox", {}) == (None, "")
    others: list[Model] = [
        model(tensor("images", (1, 96, 96, 3))),
        model(tensor("images", (1, 3, 96, 96), dtype="uint8")),
        model(tensor("images", (1, 3, 96, 96), ImageInput())),
        model(picture, tensor("size", (1, 2))),
    ]
    assert all(inferred(other, "yolov8", made) == (None, "") for other in others)


def test_the_plan_says_what_is_inferred_and_how_outputs_are_read(tmp_path: Path) -> None:
    net = squares.save(tmp_path / "net.onnx", "yolov8", ULTRALYTICS)
    opened, board = fetch(str(net), Options()), target.load("linux-cpu")
    notes = build.planned(opened, board, None, build.Options(tmp_path, recipe="float32")).notes
    assert "the outputs are read as yolov8, as the model's files say" in notes
    assert [note for note in notes if "inferred from Ultralytics' metadata" in note and "--input-spec" in note]
    assert any("fit letterbox, fill 114 (default), place center (default)" in note for note in notes)
    spoken = {"x": ImageInput(fit="letterbox", fill=0)}
    card = new.write("mine", str(net), opened.model, spoken, tmp_path, decode="yolov8", labels=("red", "blue"))
    carded = open_source(str(card))
    assert not carded.inferred and carded.model.inputs[0].preprocess == spoken["x"]
    assert "the outputs are read as yolov8, as the card mine says" in carded.remarks
    assert replace(carded, decode="none").remarks == ()


def test_a_yolo_that_somebody_has_stretched_is_named(tmp_path: Path) -> None:
    net = squares.save(tmp_path / "net.onnx", "yolov8")
    opened = fetch(str(net), Options())
    forms = {"stretch": True, "letterbox": False, "crop-center": False}
    for fit, named in forms.items():
        made = described(opened.model, parse([f"x:image,fit={fit}"], opened.model))
        assert any("fit=letterbox" in line for line in replace(opened, model=made).remarks) == named
        assert not any("fit=letterbox" in line for line in replace(opened, model=made, decode="detr").remarks)
    assert not any("fit=letterbox" in line for line in opened.remarks)  # nobody says how its input is made
