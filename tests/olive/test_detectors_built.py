"""A detector built with the user's own boxes: both models' mAP in the manifest, and an int8 that loses some is refused.

Among the net's channels is one some hundred times as large as the others: in int8 all have its scale.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.e2e.command import edgekit, judged, manifest
from tests.unit.inputs import squares

pytestmark = pytest.mark.olive
SPEC = "x:image"
NAMES = {"names": "{0: 'red', 1: 'blue'}", "task": "detect"}


def data(folder: Path, count: int = 48) -> Path:
    """Pictures of four squares each, dim ones among them, with a table of COCO's form."""
    random = np.random.default_rng(11)
    folder.mkdir()
    images, annotations = [], []
    for at in range(count):
        values, boxes = squares.picture(random, 4, least=75)
        Image.fromarray(values).save(folder / f"{at:03}.png")
        images.append({"id": at, "file_name": f"{at:03}.png", "width": squares.SIDE, "height": squares.SIDE})
        for kind, left, top, right, bottom in boxes:
            box = [left, top, right - left, bottom - top]
            annotations.append({"image_id": at, "category_id": squares.NAMES.index(kind) + 1, "bbox": box})
    categories = [{"id": number, "name": name} for number, name in enumerate(squares.NAMES, 1)]
    table = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "instances.json").write_text(json.dumps(table))
    return folder


def figures(quality: dict[str, Any]) -> dict[str, Any]:
    return {figure["metric"]: figure.get("value") for figure in quality["measurements"]}


def test_an_int8_that_loses_boxes_is_refused(tmp_path: Path) -> None:
    folder, net = data(tmp_path / "pictures"), squares.save(tmp_path / "net.onnx", "yolov8", NAMES, wide=True)
    words = ("build", net, "--target", "linux-cpu", "--calibration", folder, "--input-spec", SPEC)
    seen = edgekit("explain", net, "--input-spec", SPEC)["data"]["outputs"]
    assert seen["decode"] == "yolov8" and seen["names"] == ["red", "blue"]
    refused = edgekit(*words, "--recipe", "int8_qdq", "-o", tmp_path / "int8", code=9)
    report = json.loads((tmp_path / "int8" / "net-linux-cpu.quality.json").read_text())
    quality = report.get("quality", report)
    [lost] = [row for row in quality["verdicts"] if row["metric"] == "mean_average_precision"]
    assert lost["verdict"] == "fail" and lost["value"] < lost["limit"]["min"], refused
    assert (
        figures(quality)["mean_average_precision@source"] > 0.7
    )  # dim squares are less sure than parts of bright ones


@pytest.mark.nightly
def test_what_a_detector_says_is_in_the_manifest(tmp_path: Path) -> None:
    folder, net = data(tmp_path / "pictures"), squares.save(tmp_path / "net.onnx", "yolov8", NAMES)
    words = ("build", net, "--target", "linux-cpu", "--calibration", folder, "--input-spec", SPEC)
    edgekit(*words, "--recipe", "keep", "-o", tmp_path / "kept")
    kept = manifest(tmp_path / "kept" / "net-linux-cpu")
    assert kept["contract"]["decode"] == "yolov8"
    assert (tmp_path / "kept" / "net-linux-cpu" / kept["contract"]["labels"]).read_text() == "red\nblue\n"
    both = [figures(judged(kept))[f"mean_average_precision{place}"] for place in ("", "@source")]
    assert both[0] == both[1] > 0.7
    assert any(
        "the boxes of 32 inputs are the model's, by the model's own names" in note for note in judged(kept)["notes"]
    )


@pytest.mark.nightly
def test_a_layout_that_is_not_sure_is_named_until_a_card_says_it(tmp_path: Path) -> None:
    folder, net = data(tmp_path / "pictures", 24), squares.save(tmp_path / "net.onnx", "detr")
    build = ("build", "--target", "linux-cpu", "--recipe", "keep", "--calibration", folder)
    unsure = edgekit(*build, net, "--input-spec", SPEC, "-o", tmp_path / "unsure")
    [row] = [
        row
        for row in judged(manifest(tmp_path / "unsure" / "net-linux-cpu"))["measurements"]
        if row["metric"] == "mean_average_precision@source"
    ]
    assert row.get("value") is None and "'nothing' (detr) or a class (rt-detr)" in row["reason"], unsure
    card = ("models", "new", "mine", net, "--input-spec", SPEC, "--decode", "detr", "-o", tmp_path)
    assert Path(edgekit(*card)["data"]["path"]) == tmp_path / "mine.toml"
    edgekit(*build, tmp_path / "mine.toml", "-o", tmp_path / "said")
    said = figures(judged(manifest(tmp_path / "said" / "mine-linux-cpu")))
    assert said["mean_average_precision"] == said["mean_average_precision@source"] > 0.6
