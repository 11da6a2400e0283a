"""Detectors of every layout by the user's own boxes: both models' mAP, and boxes that are left out for a better one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgekit import quality
from edgekit.inputs import labels
from edgekit.inputs.calibration import open_calibration
from edgekit.inputs.labels import Labels, Truth
from edgekit.inputs.layouts import LAYOUTS
from edgekit.model import ImageInput
from edgekit.quality import GateContext, _boxes
from edgekit.quality._layouts import LEAST, SAME
from edgekit.quality._suppress import suppress
from tests.unit.inputs import squares
from tests.unit.inputs.nets import model, tensor

pytestmark = pytest.mark.runtimes
INPUTS = (tensor("x", (1, 3, squares.SIDE, squares.SIDE), ImageInput()),)
RANDOM = np.random.default_rng(7)
SHOWN = [squares.picture(RANDOM, 4) for _ in range(26)]
FEEDS = [{"x": (values.transpose(2, 0, 1)[None] / 255).astype(np.float32)} for values, _ in SHOWN]


def truth(word: str) -> Truth:
    """As the table of a data set numbers them, from 1."""
    drawn = [boxes for _, boxes in SHOWN]
    shown = Labels("boxes", {Path(str(at)): boxes for at, boxes in enumerate(drawn)}, numbers={"red": 1, "blue": 2})
    count = None if word in ("yolov10", "torchvision", "tf-detection") else 2
    return labels.truth(shown, drawn, word, squares.NAMES if word == "yolov10" else (), count)


def figures(make: Callable[..., GateContext], source: Path, built: Path, word: str, told: Truth) -> dict[str, Any]:
    ctx = make(source, built, FEEDS, inputs=INPUTS, decode=word)
    judged = quality.gate(replace(ctx, mode="default", truth=told))
    return {row.metric: row for row in judged.measurements} | {
        f"verdict of {v.metric}": v.verdict for v in judged.verdicts
    }


@pytest.mark.parametrize("word", LAYOUTS)
def test_both_models_are_held_against_the_boxes(tmp_path: Path, context: Callable[..., GateContext], word: str) -> None:
    source = squares.save(tmp_path / "source.onnx", word)
    built = squares.save(tmp_path / "built.onnx", word, confused=True)
    same = figures(context, source, source, word, truth(word))
    assert same["mean_average_precision"].value == same["mean_average_precision@source"].value == 1
    assert same["mean_average_precision"].n == sum(len(boxes) for _, boxes in SHOWN)
    assert same["box_f1"].value == 1 and same["verdict of mean_average_precision"] == "pass"
    lost = figures(context, source, built, word, truth(word))
    assert lost["mean_average_precision@source"].value == 1 and lost["mean_average_precision"].value < 0.7
    assert lost["verdict of mean_average_precision"] == lost["verdict of box_f1"] == "fail"


def test_outputs_of_another_layout_are_not_measured_by_name(
    tmp_path: Path, context: Callable[..., GateContext]
) -> None:
    """A card that takes the net's rows for a YOLO's of another release."""
    source = squares.save(tmp_path / "source.onnx", "yolox")
    told = figures(context, source, source, "yolov10", truth("yolov10"))
    assert "mean_average_precision" not in told and "box_f1" not in told
    assert "not as 'yolov10' has them: rows of 7 values" in told["mean_average_precision@source"].reason
    asked = figures(context, source, source, "yolov10", replace(truth("yolov10"), asked=True))
    assert asked["verdict of mean_average_precision"] == "not-measured"


def test_classes_in_another_order_are_chance(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    source = squares.save(tmp_path / "source.onnx", "yolov8")
    turned = truth("yolov8")
    values = tuple([[1 - kind, *box] for kind, *box in boxes] for boxes in turned.values)
    wrong = figures(context, source, source, "yolov8", replace(turned, values=values))
    assert wrong["verdict of mean_average_precision"] == "invalid" and "cosine_mean" not in wrong


def test_few_boxes_are_reported_and_not_judged(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    source = squares.save(tmp_path / "source.onnx", "yolov8")
    ctx = context(source, source, FEEDS[:3], inputs=INPUTS, decode="yolov8")
    judged = {row.metric: row for row in quality.gate(replace(ctx, mode="default")).measurements}
    [few] = [row for metric, row in judged.items() if metric.startswith("box_f1@")]
    assert few.value == 1 and "100 are needed" in few.reason and "box_f1" not in judged
    assert "rank_agreement" not in judged  # its boxes are always the same and have no order


def greedy(corners: NDArray[np.float64], scores: NDArray[np.float64]) -> set[tuple[int, int]]:
    """Non-maximum suppression as its inventors wrote it: the best box of a class, then what does not overlap it."""
    kept = set()
    for kind, column in enumerate(scores.T):
        left = [int(at) for at in np.argsort(-column) if column[at] > LEAST]
        while left:
            best, *left = left
            kept.add((kind, best))
            left = [at for at in left if _boxes.iou(corners[[best]], corners[[at]])[0, 0] <= SAME]
    return kept


def test_what_is_suppressed_is_what_a_plain_search_leaves_out() -> None:
    random = np.random.default_rng(3)
    for count in (1, 40, 160):
        corners = random.uniform(0, 40, (count, 4))
        corners[:, 2:] = corners[:, :2] + random.uniform(10, 60, (count, 2))
        scores = random.uniform(0, 1, (count, 3)) ** 3
        kept = suppress(corners, scores)
        assert {(int(kind), int(box)) for kind, box in kept} == greedy(corners, scores)
    assert suppress(corners, scores * 0).shape == (0, 2) and suppress(corners[:0], scores[:0]).shape == (0, 2)


def test_boxes_of_pictures_that_are_no_squares_lie_where_a_letterbox_puts_them(
    tmp_path: Path, context: Callable[..., GateContext]
) -> None:
    """Twice as large, and cut to their middle half: stretched, the squares would be no squares any more."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for at, (values, drawn) in enumerate(SHOWN):
        Image.fromarray(values[24:72].repeat(2, 0).repeat(2, 1)).save(folder / f"{at}.png")
        rows = [
            f"{squares.NAMES.index(name)} {(left + 8) / 96} {(top - 16) / 48} {16 / 96} {16 / 48}\n"
            for name, left, top, *_ in drawn
            if 24 <= top <= 56
        ]
        (folder / f"{at}.txt").write_text("".join(rows))
    source = squares.save(tmp_path / "source.onnx", "yolov8")
    reached = {}
    for form in (ImageInput(fit="letterbox"), ImageInput()):
        taken = tensor("x", (1, 3, squares.SIDE, squares.SIDE), form)
        data = open_calibration(folder, model(taken), "yolov8", source)
        told = labels.truth(data.shown, data.labels, "yolov8", squares.NAMES, 2)
        ctx = context(source, source, list(data.evaluate), inputs=(taken,), decode="yolov8")
        judged = quality.gate(replace(ctx, mode="default", truth=told))
        reached[form.fit] = {row.metric: row.value for row in judged.measurements}["mean_average_precision@source"]
    assert reached["letterbox"] == 1 and reached["stretch"] < 0.1
