"""The layouts of detectors' outputs, as exporters write them, and which of them a model's outputs are.

yolov8: columns [1, 4 + classes, boxes] of centre x, centre y, width, height in pixels of the input, then a score for
each class (YOLOv8, YOLO11: ultralytics/nn/modules/head.py, Detect). yolov5: rows [1, boxes, 5 + classes] of the same,
behind them how sure it is that there is anything (YOLOv5, YOLOv7, YOLOX with decode_in_inference). yolox: such rows, of
which centre and size are still offsets in a grid and logarithms (yolox/utils/demo_utils.py, demo_postprocess). yolov10:
rows [1, boxes, 6] of left, top, right, bottom, score, class, nothing to be suppressed. detr, rt-detr: logits
[1, queries, classes] and pred_boxes [1, queries, 4], shares of the picture; of detr the last class is "nothing".
torchvision: boxes [n, 4] in pixels, labels and scores [n]. tf-detection: detection_boxes [1, n, 4] (top, left, bottom,
right, as shares), detection_classes, detection_scores, num_detections (TensorFlow's Object Detection API).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from edgekit.catalog.cards import Decode, Layout
from edgekit.model import Model, Tensor

LAYOUTS: tuple[str, ...] = get_args(Layout)
STRIDES = ((8, 16, 32), (8, 16, 32, 64))  # of the grids of a YOLO
ANCHORS = 3  # boxes of each cell, of YOLOv5 and YOLOv7
ROWS = 1000  # a net that itself suppresses answers no more
TORCHVISION, QUERIES = {"boxes": 2, "labels": 1, "scores": 1}, {"logits": 3, "pred_boxes": 3}  # name -> dimensions
TENSORFLOW = ("detection_boxes", "detection_classes", "detection_scores", "num_detections")
SAY = f"a card says it: decode = one of {', '.join(LAYOUTS)}"


@dataclass(frozen=True)
class Facts:
    """What an .onnx file says of its outputs beside their names and shapes.

    Attributes:
        names: of its classes; may be empty.
        task: as Ultralytics writes it ("detect", "pose" ...); empty where nobody says.
        ends: the operators that the first output is put together of, in their order, and not changed after.
        selects: the graph has an operator that picks the best boxes.
    """

    names: tuple[str, ...] = ()
    task: str = ""
    ends: tuple[str, ...] = ()
    selects: bool = False


def recognized(model: Model, facts: Facts) -> tuple[Decode, str]:
    """The layout of the model's outputs; "none" for what is no detector, and why for one whose layout is not sure."""
    ranks = {name_of(tensor): len(tensor.shape) for tensor in model.outputs}
    if ranks == TORCHVISION:
        return "torchvision", ""
    if set(TENSORFLOW) <= set(ranks):
        return "tf-detection", ""
    if QUERIES.items() <= ranks.items():
        return _queries(model, len(facts.names))
    picture = _picture(model)
    if picture is None or not model.outputs or len(model.outputs[0].shape) != 3:
        return "none", ""
    return _rows(model.outputs[0], model.outputs[1:], grids(picture), facts)


def _queries(model: Model, names: int) -> tuple[Decode, str]:
    """DETR has a class more than it has names, RT-DETR as many."""
    size = next(tensor.shape[-1] for tensor in model.outputs if name_of(tensor) == "logits")
    if names and size in (names, names + 1):
        return ("rt-detr" if size == names else "detr"), ""
    return "none", f"whether the last of {size or 'its'} logits is 'nothing' (detr) or a class (rt-detr) is not known"


def _rows(first: Tensor, others: Sequence[Tensor], cells: tuple[int, ...], facts: Facts) -> tuple[Decode, str]:
    _, second, last = first.shape
    known = len(facts.names)
    size, many = (second, last) if second != last else (None, None)
    columns = isinstance(size, int) and size > 4 and (many in cells or (known > 0 and size == 4 + known))
    rows = isinstance(last, int) and last > 4 and (second in (*cells, *(ANCHORS * cell for cell in cells)))
    rows = rows or (known > 0 and last == 5 + known)
    whole = isinstance(last, int) and last == 6 and isinstance(second, int) and second <= ROWS and second not in cells
    if not (columns or rows or (whole and facts.selects)):
        return "none", ""
    if facts.task not in ("", "detect"):
        return "none", f"its metadata says that its task is {facts.task!r}, not 'detect'"
    extra = [tensor for tensor in others if len(tensor.shape) != 5]  # YOLOv5's own heads are no other answer
    if extra:
        return "none", f"what {extra[0].name!r} beside {first.name!r} says of its boxes is not known"
    if columns:
        sure = (known and size == 4 + known) or (not known and len(facts.ends) == 2 and facts.ends[1] == "Sigmoid")
        return ("yolov8", "") if sure else ("none", _unsure(first, "classes, or points and angles of boxes"))
    if whole and facts.selects:
        return "yolov10", ""
    if isinstance(second, int) and any(second == ANCHORS * cell for cell in cells) and known in (0, int(last or 0) - 5):
        return "yolov5", ""
    if second in cells and facts.ends and facts.ends == ("Conv", "Sigmoid", "Sigmoid") * (len(facts.ends) // 3):
        return "yolox", ""
    if known and last == 5 + known and facts.ends and not {"", "Conv"} & set(facts.ends):  # the boxes are computed
        return "yolov5", ""
    return "none", _unsure(first, "pixels or offsets in a grid, with how sure a box is or without")


def _unsure(tensor: Tensor, what: str) -> str:
    return f"{tensor.name!r} of {[dim if isinstance(dim, int) else '?' for dim in tensor.shape]} may hold {what}"


def grids(picture: tuple[int, int]) -> tuple[int, ...]:
    """How many cells the grids of a picture of this height and width have, by STRIDES."""
    return tuple(sum(math.prod(-(-side // stride) for side in picture) for stride in strides) for strides in STRIDES)


def _picture(model: Model) -> tuple[int, int] | None:
    """Height and width of the only input that may be a picture; 0 where it says none."""
    shapes = [tensor.shape for tensor in model.inputs if len(tensor.shape) == 4]
    if len(shapes) != 1 or len(model.inputs) != 1:
        return None
    shape = shapes[0]
    if shape[1] not in (1, 3) and shape[3] not in (1, 3):
        return None
    height, width = shape[2:] if shape[1] in (1, 3) else shape[1:3]
    return (height, width) if isinstance(height, int) and isinstance(width, int) else (0, 0)


def count(decode: str, model: Model) -> int | None:
    """How many classes the outputs of this layout tell apart; None where their shapes do not say."""
    shapes = {name_of(tensor): tensor.shape for tensor in model.outputs}
    first = next(iter(shapes.values()), ())
    if decode in ("detr", "rt-detr"):
        size = shapes["logits"][-1] if "logits" in shapes else None
        return size - (decode == "detr") if isinstance(size, int) else None
    if len(first) != 3 or decode not in ("yolov5", "yolox", "yolov8"):
        return None
    size, before = (first[1], 4) if decode == "yolov8" else (first[2], 5)
    return size - before if isinstance(size, int) and size > before else None


def name_of(tensor: Tensor) -> str:
    """An output's name, without the number that TensorFlow puts behind it."""
    return tensor.name.partition(":")[0]
