"""How pictures become the input of a YOLO: as its exporter's own code makes them, where the file says whose it is.

Nobody wrote it down in so many words, so it is an inference and is called one wherever the input is shown.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from edgekit.catalog.cards import Decode
from edgekit.model import ImageInput, Model

# ultralytics/engine/exporter.py writes these; a classifier's pictures are made in another way in each of its releases.
TASKS = ("detect", "segment", "pose", "obb")
ROWS = ("yolov5", "yolov8", "yolov10")  # RT-DETR is of Ultralytics, too, and stretches
LETTERBOXED = (*ROWS, "yolox")
YOLOV5 = {"stride", "names"}  # all that yolov5/export.py writes


def inferred(model: Model, decode: Decode, said: Mapping[str, str]) -> tuple[ImageInput | None, str]:
    """How the model's only input is made, and what that was told by; None and nothing for any other model.

    Args:
        decode: how its outputs are read.
        said: the file's metadata.
    """
    sides = _sides(model)
    if sides is None:
        return None, ""
    if said.get("author") == "Ultralytics":
        size, task = _size(said.get("imgsz", "")), said.get("task", "")
        if task in TASKS and (task != "detect" or decode in ROWS) and size and _fits(sides, size):
            form = ImageInput(height=size[0], width=size[1], fit="letterbox")
            return (
                form,
                f"Ultralytics' metadata (task {task}, imgsz {list(size)}): a letterbox, as its LetterBox has it",
            )
        return None, ""
    if not all(isinstance(side, int) and side > 0 for side in sides):
        return None, ""
    if decode == "yolov5" and set(said) == YOLOV5:
        return ImageInput(fit="letterbox"), "YOLOv5's metadata (stride, names): a letterbox, as its datasets have it"
    if decode == "yolox":
        form = ImageInput(fit="letterbox", place="top-left", channels="BGR", scale=1.0)
        return form, "its outputs (YOLOX): as YOLOX's preproc has it; nets of before its release 0.2 take other values"
    return None, ""


def _sides(model: Model) -> tuple[object, ...] | None:
    """Height and width of the only input, where it is of three planes and nobody says how it is made."""
    if len(model.inputs) != 1 or model.inputs[0].preprocess is not None:
        return None
    shape, dtype = model.inputs[0].shape, model.inputs[0].dtype
    return shape[2:] if len(shape) == 4 and shape[1] == 3 and dtype.startswith("float") else None


def _size(text: str) -> tuple[int, int] | None:
    """Height and width as Ultralytics writes them, "[640, 640]"."""
    try:
        size = ast.literal_eval(text[:32])
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    whole = isinstance(size, list) and len(size) == 2 and all(type(side) is int and side > 0 for side in size)
    return (size[0], size[1]) if whole else None


def _fits(sides: tuple[object, ...], size: tuple[int, int]) -> bool:
    return all(not isinstance(side, int) or side in (-1, wanted) for side, wanted in zip(sides, size, strict=True))
