"""A detector of red and blue squares whose boxes are known, in each layout that exporters write, and pictures for it.

Its cells lie every eight pixels; a square of 16 pixels around the middle of a cell is that cell's, as sure as it is
bright. Cells of the larger strides find nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE, CELL, SQUARE = 96, 8, 16
NAMES = ("red", "blue")
GRIDS = [(stride, SIDE // stride) for stride in (8, 16, 32)]
CELLS = sum(count * count for _, count in GRIDS)
KEPT = 16  # boxes that the layouts answer which suppress by themselves
Boxes = list[list[Any]]
node = helper.make_node


def picture(random: np.random.Generator, count: int = 3, least: int = 150) -> tuple[NDArray[np.uint8], Boxes]:
    """[96, 96, 3], and its boxes: name, left, top, right, bottom in pixels; squares do not touch."""
    values = random.normal(40, 6, (SIDE, SIDE, 3))
    drawn: Boxes = []
    for at in random.permutation(16)[:count]:
        left, top = (CELL + 3 * CELL * int(place) - CELL // 2 for place in (at % 4, at // 4))
        kind = int(random.integers(2))
        colour = np.full(3, 30.0)
        colour[2 * kind] = random.integers(least, 256)
        values[top : top + SQUARE, left : left + SQUARE] = colour
        drawn.append([NAMES[kind], left, top, left + SQUARE, top + SQUARE])
    return np.clip(np.round(values), 0, 255).astype(np.uint8), drawn


def middles() -> NDArray[np.float64]:
    """[cells, 4]: column and row of each cell, its stride twice."""
    rows = [[at % count, at // count, stride, stride] for stride, count in GRIDS for at in range(count * count)]
    return np.array(rows, np.float64)


def save(
    path: Path, layout: str, metadata: dict[str, str] | None = None, *, confused: bool = False, wide: bool = False
) -> Path:
    """Write the detector in a layout (inputs/layouts.py), of opset 17; it takes x [1, 3, 96, 96] from 0 to 1.

    Args:
        confused: it takes half of the red for blue, and the other way about.
        wide: beside the colours lies a channel some hundred times as large, which int8 gives its scale to all of them.
    """
    weight = np.full((2, 3, SQUARE, SQUARE), -0.5, np.float32)
    weight[0, 0] = weight[1, 2] = 1.0
    if confused:
        weight[:, [0, 2]] = 0.3
    nodes = [
        *([node("Conv", ["x", "widen"], ["wide_"]), node("Relu", ["wide_"], ["wide"])] if wide else []),
        node("Conv", ["wide" if wide else "x", "w"], ["mean"], strides=[CELL, CELL], pads=[4, 4, 4, 4]),
        node("Reshape", ["mean", "flat"], ["own"]),
        node("Sub", ["own", "half"], ["above"]),
        node("Mul", ["above", "steep"], ["steeper"]),
        node("Concat", ["steeper", "none"], ["logits_"], axis=2),  # [1, 2, cells]
    ]
    if wide:
        weight = np.concatenate([weight, np.zeros((2, 1, SQUARE, SQUARE), np.float32)], axis=1)
    constants = {
        **(
            {"widen": np.vstack([np.eye(3), np.full((1, 3), 300)]).astype(np.float32)[:, :, None, None]} if wide else {}
        ),
        "w": weight / SQUARE**2,
        "flat": np.array([1, 2, -1]),
        "half": np.float32(0.3),
        "steep": np.float32(12),
        "none": np.full((1, 2, CELLS - GRIDS[0][1] ** 2), -12, np.float32),
    }
    more, values, outputs = HEADS[layout]()
    initial = [numpy_helper.from_array(np.asarray(value), name) for name, value in {**constants, **values}.items()]
    graph = helper.make_graph(
        [*nodes, *more],
        "squares",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        outputs,
        initial,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for key, text in (metadata or {}).items():
        made.metadata_props.add(key=key, value=text)
    onnx.checker.check_model(made, full_check=True)
    onnx.save(made, path)
    return path


def _value(name: str, shape: Sequence[int | str], kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))


def _in_pixels() -> NDArray[np.float32]:
    """[cells, 4]: the middle of each cell in pixels, and the size of a square."""
    at = middles()
    return np.hstack([(at[:, :2] + 0.5) * at[:, 2:], np.full((CELLS, 2), SQUARE)]).astype(np.float32)


def _yolov8() -> tuple[list[Any], dict[str, Any], list[Any]]:
    nodes = [
        node("Sigmoid", ["logits_"], ["scores"]),
        node("Mul", ["in_cells", "stride"], ["boxes"]),
        node("Concat", ["boxes", "scores"], ["output0"], axis=1),
    ]
    stride = middles()[:, 2].astype(np.float32)
    values = {"in_cells": (_in_pixels().T / stride)[None], "stride": stride}
    return nodes, values, [_value("output0", [1, 6, CELLS])]


def _yolov5() -> tuple[list[Any], dict[str, Any], list[Any]]:
    """Of the three boxes of a cell the second is the square's; each is as sure as its better class."""
    nodes = [
        node("Transpose", ["logits_"], ["rows"], perm=[0, 2, 1]),
        node("Concat", ["nothing", "rows", "nothing"], ["all"], axis=1),
        node("Sigmoid", ["all"], ["scores"]),
        node("ReduceMax", ["scores"], ["sure"], axes=[2], keepdims=1),
        node("Div", ["scores", "sure"], ["share"]),
        node("Mul", ["in_cells", "one"], ["boxes"]),
        node("Concat", ["boxes", "sure", "share"], ["output"], axis=2),
    ]
    values = {
        "nothing": np.full((1, CELLS, 2), -12, np.float32),
        "in_cells": np.tile(_in_pixels(), (3, 1))[None],
        "one": np.float32(1),
    }
    return nodes, values, [_value("output", [1, 3 * CELLS, 7])]


def _yolox() -> tuple[list[Any], dict[str, Any], list[Any]]:
    """Centres half a cell from its corner, sizes as logarithms; presence is certain. Joined as YOLOX's."""
    at = middles()
    raw = np.hstack([np.full((CELLS, 2), 0.5), np.log(SQUARE / at[:, 2:])]).astype(np.float32)
    nodes = [
        node("Conv", ["raw", "eye"], ["regression"]),
        node("Sigmoid", ["certain"], ["presence"]),
        node("Reshape", ["logits_", "tall"], ["kinds_"]),
        node("Sigmoid", ["kinds_"], ["kinds"]),
        node("Concat", ["regression", "presence", "kinds"], ["head"], axis=1),
        node("Reshape", ["head", "long"], ["columns"]),
        node("Transpose", ["columns"], ["output"], perm=[0, 2, 1]),
    ]
    values = {
        "raw": raw.T[None, :, :, None].copy(),
        "eye": np.eye(4, dtype=np.float32)[:, :, None, None],
        "certain": np.full((1, 1, CELLS, 1), 12, np.float32),
        "tall": np.array([1, 2, CELLS, 1]),
        "long": np.array([1, 7, CELLS]),
    }
    return nodes, values, [_value("output", [1, CELLS, 7])]


def _best() -> tuple[list[Any], dict[str, Any]]:
    """The KEPT surest: "score" [1, kept], "class" [1, kept] (int64), "middle" [1, kept, 4]."""
    nodes = [
        node("Sigmoid", ["logits_"], ["scores"]),
        node("ReduceMax", ["scores"], ["most"], axes=[1], keepdims=0),
        node("ArgMax", ["scores"], ["kinds"], axis=1, keepdims=0),
        node("TopK", ["most", "kept"], ["score", "places"], axis=1),
        node("GatherElements", ["kinds", "places"], ["class"], axis=1),
        node("Gather", ["in_pixels", "places"], ["middle"]),
    ]
    return nodes, {"kept": np.array([KEPT]), "in_pixels": _in_pixels()}


def _cornered(order: Sequence[int], unit: float) -> tuple[list[Any], dict[str, Any]]:
    """The boxes of _best as "corners" [1, kept, 4] in this order, over a unit."""
    to = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [-0.5, 0, 0.5, 0], [0, -0.5, 0, 0.5]], np.float32)[:, list(order)] / unit
    return [node("MatMul", ["middle", "to"], ["corners"])], {"to": to.astype(np.float32)}


def _yolov10() -> tuple[list[Any], dict[str, Any], list[Any]]:
    (nodes, values), (turn, to) = _best(), _cornered((0, 1, 2, 3), 1)
    join = [
        node("Unsqueeze", ["score", "last"], ["scored"]),
        node("Unsqueeze", ["class", "last"], ["classed"]),
        node("Cast", ["classed"], ["numbered"], to=TensorProto.FLOAT),
        node("Concat", ["corners", "scored", "numbered"], ["output0"], axis=2),
    ]
    return [*nodes, *turn, *join], {**values, **to, "last": np.array([2])}, [_value("output0", [1, KEPT, 6])]


def _torchvision() -> tuple[list[Any], dict[str, Any], list[Any]]:
    """Its classes begin with one for the background."""
    (nodes, values), (turn, to) = _best(), _cornered((0, 1, 2, 3), 1)
    flat = [
        node("Squeeze", ["corners", "first"], ["boxes"]),
        node("Squeeze", ["score", "first"], ["scores_"]),
        node("Squeeze", ["class", "first"], ["class_"]),
        node("Identity", ["scores_"], ["sure"]),
        node("Add", ["class_", "first_class"], ["labels"]),
    ]
    nodes = [*nodes, *turn, *flat]
    for part in nodes:  # "scores" is the name of an output here
        part.input[:] = ["all_scores" if name == "scores" else name for name in part.input]
        part.output[:] = [
            "all_scores" if name == "scores" else "scores" if name == "sure" else name for name in part.output
        ]
    values = {**values, **to, "first": np.array([0]), "first_class": np.int64(1)}
    outputs = [_value("boxes", [KEPT, 4]), _value("labels", [KEPT], TensorProto.INT64), _value("scores", [KEPT])]
    return nodes, values, outputs


def _tensorflow() -> tuple[list[Any], dict[str, Any], list[Any]]:
    """Its classes begin at 1."""
    (nodes, values), (turn, to) = _best(), _cornered((1, 0, 3, 2), SIDE)
    named = [
        node("Identity", ["corners"], ["detection_boxes"]),
        node("Cast", ["class"], ["from_zero"], to=TensorProto.FLOAT),
        node("Add", ["from_zero", "one"], ["detection_classes"]),
        node("Identity", ["score"], ["detection_scores"]),
        node("Identity", ["many"], ["num_detections"]),
    ]
    values = {**values, **to, "one": np.float32(1), "many": np.array([KEPT], np.float32)}
    shapes = {"boxes": [1, KEPT, 4], "classes": [1, KEPT], "scores": [1, KEPT]}
    outputs = [_value(f"detection_{name}", shape) for name, shape in shapes.items()]
    return [*nodes, *turn, *named], values, [*outputs, _value("num_detections", [1])]


def _queries(nothing: bool) -> tuple[list[Any], dict[str, Any], list[Any]]:
    """Of each cell a query; where there may be nothing, that has the score of 0."""
    nodes = [node("Transpose", ["logits_"], ["rows"], perm=[0, 2, 1])]
    nodes.append(
        node("Concat", ["rows", "zeros"], ["logits"], axis=2) if nothing else node("Identity", ["rows"], ["logits"])
    )
    nodes.append(node("Identity", ["shares"], ["pred_boxes"]))
    values = {"shares": _in_pixels()[None] / SIDE, "zeros": np.zeros((1, CELLS, 1), np.float32)}
    return nodes, values, [_value("logits", [1, CELLS, 2 + nothing]), _value("pred_boxes", [1, CELLS, 4])]


HEADS = {
    "yolov5": _yolov5,
    "yolov8": _yolov8,
    "yolov10": _yolov10,
    "yolox": _yolox,
    "detr": lambda: _queries(nothing=True),
    "rt-detr": lambda: _queries(nothing=False),
    "torchvision": _torchvision,
    "tf-detection": _tensorflow,
}
