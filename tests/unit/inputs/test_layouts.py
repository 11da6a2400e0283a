"""Which layout a detector's outputs are of: told by names, shapes, metadata and the end of the graph, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import helper

from edgekit.inputs import layouts
from edgekit.inputs.layouts import LAYOUTS, Facts, recognized
from edgekit.sources.facts import detectors
from edgekit.sources.facts.onnx_graph import read_model
from edgekit.sources.onnx import fetch
from edgekit.sources.source import Options
from tests.unit.inputs import squares
from tests.unit.inputs.nets import model, save, tensor, value

pytestmark = pytest.mark.unit
PICTURE = tensor("images", (1, 3, 640, 640))
COCO = tuple(f"thing {at}" for at in range(80))


def test_a_net_of_each_layout_is_recognized_and_its_classes_are_counted(tmp_path: Path) -> None:
    assert set(squares.HEADS) == set(LAYOUTS)
    for word in LAYOUTS:
        path = squares.save(tmp_path / f"{word}.onnx", word)
        net = read_model(path, name="net")
        assert detectors.layout(path, net, squares.NAMES)[:2] == (word, "")
        assert layouts.count(word, net) == (None if word in ("yolov10", "torchvision", "tf-detection") else 2)


def test_the_names_that_a_file_has_are_the_sources(tmp_path: Path) -> None:
    said = {"names": "{0: 'red', 1: 'blue'}", "task": "detect"}
    opened = fetch(str(squares.save(tmp_path / "net.onnx", "yolov8", said)), Options())
    assert (opened.decode, opened.names, opened.labels) == ("yolov8", ("red", "blue"), "red\nblue\n")
    opened = fetch(str(squares.save(tmp_path / "anew.onnx", "yolov5", {"names": "['red', 'blue']"})), Options())
    assert (opened.decode, opened.names) == ("yolov5", ("red", "blue"))


@pytest.mark.parametrize(
    "names", ["[", "{0: 'red', 2: 'blue'}", "{'a': 1}", "('red',)", "[1, 2]", "9" * 2**18, "-" * 9999]
)
def test_names_of_no_form_are_none(tmp_path: Path, names: str) -> None:
    opened = fetch(str(squares.save(tmp_path / "net.onnx", "yolov8", {"names": names})), Options())
    assert (opened.decode, opened.names) == ("yolov8", ())


# shape, facts -> the layout, or a word of why it is not sure
ROWS: dict[str, tuple[tuple[Any, ...], dict[str, Any], str]] = {
    "a pose's points look like classes": ((1, 56, 8400), {}, "points"),
    "Ultralytics says the task": ((1, 56, 8400), {"task": "pose"}, "'pose'"),
    "YOLOv8, names alone": ((1, 84, 8400), {"names": COCO}, "yolov8"),
    "YOLOv8 of dynamic size": (("n", 84, "boxes"), {"names": COCO, "task": "detect"}, "yolov8"),
    "YOLOv8 of other names": ((1, 56, 8400), {"names": COCO}, "points"),
    "YOLOv5": ((1, 25200, 85), {}, "yolov5"),
    "YOLOv5 of other names": ((1, 25200, 117), {"names": COCO}, "grid"),
    "YOLOv8 turned, or YOLOX": ((1, 8400, 85), {}, "grid"),
    "YOLOX as it is trained": ((1, 8400, 85), {"ends": ("Conv", "Sigmoid", "Sigmoid") * 3}, "yolox"),
    "YOLOX in pixels": ((1, 8400, 85), {"ends": ("Mul", "Exp", "Slice"), "names": COCO}, "yolov5"),
    "YOLOv10": ((1, 300, 6), {"selects": True}, "yolov10"),
    "rows of six that nothing selected": ((1, 300, 6), {}, ""),
    "YOLOX of one class": ((1, 8400, 6), {"selects": True}, "grid"),
    "text lines": ((1, 40, 6625), {}, ""),
}


@pytest.mark.parametrize("case", ROWS)
def test_shapes(case: str) -> None:
    shape, facts, word = ROWS[case]
    decode, why = recognized(model(PICTURE, outputs=[tensor("output0", shape)]), Facts(**facts))
    assert (decode, why) == (word, "") if word in (*LAYOUTS, "") and word else decode == "none" and word in why
    assert bool(why) == (word not in (*LAYOUTS, ""))


def test_masks_beside_boxes_and_other_inputs_are_not_guessed() -> None:
    boxes, masks = tensor("output0", (1, 116, 8400)), tensor("output1", (1, 32, 160, 160))
    decode, why = recognized(model(PICTURE, outputs=[boxes, masks]), Facts(COCO, "segment"))
    assert decode == "none" and "'segment'" in why
    decode, why = recognized(model(PICTURE, outputs=[tensor("o", (1, 25200, 117)), masks]), Facts())
    assert decode == "none" and "'output1' beside 'o'" in why
    heads = [tensor(f"head{at}", (1, 3, side, side, 85)) for at, side in enumerate((80, 40, 20))]
    assert recognized(model(PICTURE, outputs=[tensor("o", (1, 25200, 85)), *heads]), Facts())[0] == "yolov5"
    words = tensor("input_ids", (1, 128))
    assert recognized(model(words, outputs=[tensor("o", (1, 25200, 85))]), Facts()) == ("none", "")


def test_queries_are_counted_by_the_names() -> None:
    outputs = [tensor("logits", (1, 100, 92)), tensor("pred_boxes", (1, 100, 4))]
    names = tuple(map(str, range(92)))
    assert recognized(model(PICTURE, outputs=outputs), Facts(names[:91])) == ("detr", "")
    assert recognized(model(PICTURE, outputs=outputs), Facts(names)) == ("rt-detr", "")
    for facts in (Facts(), Facts(names[:20])):
        decode, why = recognized(model(PICTURE, outputs=outputs), facts)
        assert decode == "none" and "'nothing'" in why


def test_a_graph_of_many_joints_is_walked_in_no_time(tmp_path: Path) -> None:
    nodes = [helper.make_node("Identity", ["x"], ["v0"])]
    nodes += [helper.make_node("Concat", [f"v{at}", f"v{at}"], [f"v{at + 1}"], axis=1) for at in range(60)]
    path = save(tmp_path / "net.onnx", nodes, [value("x", [1, 0, 4])], [value("v60", [1, 0, 4])], {})
    assert detectors.layout(path, read_model(path, name="net"))[0] == "none"
    assert len(onnx.load(path).graph.node) == 61
