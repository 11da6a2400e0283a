"""A real detector, ddddocr's YOLOX of characters (MIT, in a wheel of 76 MB): its layout, its boxes, a wrong scale."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from edgekit.sources import pypi
from tests.e2e.command import edgekit, judged, manifest

pytestmark = [pytest.mark.olive, pytest.mark.nightly]
NET = (
    "pypi:ddddocr==1.5.6#ddddocr/common_det.onnx"
    "@sha256=6faa8ea85a8c1a634e5050c4a138fca10f30194e0d7abbe9ade1fcd423af6ed6"
)
SIDE, COUNT = 416, 44
SPEC = "images:image,scale=1,channels=BGR"  # ddddocr/__init__.py, preproc: OpenCV's pixels as they are


def scenes(folder: Path) -> Path:
    """Four characters on a cloudy ground in each picture, and the box of the ink of each."""
    folder.mkdir()
    random = np.random.default_rng(5)
    images, annotations = [], []
    for at in range(COUNT):
        ground = np.clip(random.normal(200, 12, (26, 26, 3)), 0, 255).astype(np.uint8)
        picture = Image.fromarray(ground).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        pen = ImageDraw.Draw(picture)
        for place in random.permutation(9)[:4]:
            font = ImageFont.load_default(int(random.integers(60, 95)))
            letter = str(random.choice(list("ABDEGHKMNRSTX23456789")))
            left, top = (edge + 130 * int(step) for edge, step in ((40, place % 3), (25, place // 3)))
            pen.text((left, top), letter, font=font, fill=tuple(int(value) for value in random.integers(0, 110, 3)))
            x, y, right, bottom = pen.textbbox((left, top), letter, font=font)
            annotations.append({"image_id": at, "category_id": 1, "bbox": [x, y, right - x, bottom - y]})
        picture.save(folder / f"{at:02}.png")
        images.append({"id": at, "file_name": f"{at:02}.png", "width": SIDE, "height": SIDE})
    table = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "character"}]}
    (folder / "instances.json").write_text(json.dumps(table))
    return folder


def test_characters_are_found_as_ddddocr_finds_them(tmp_path: Path) -> None:
    wanted = pypi.parse(NET)
    net = pypi.download(wanted, lambda text: None) / "files" / Path(wanted.path).name
    assert edgekit("explain", net, "--input-spec", SPEC)["data"]["outputs"]["decode"] == "yolox"
    words = ("build", net, "--target", "linux-cpu", "--recipe", "keep", "--calibration", scenes(tmp_path / "scenes"))
    edgekit(*words, "--input-spec", SPEC, "-o", tmp_path / "out")
    [bundle] = (tmp_path / "out").glob("*-linux-cpu")
    rates = {row["metric"]: row.get("value") for row in judged(manifest(bundle))["measurements"]}
    assert rates["mean_average_precision"] == rates["mean_average_precision@source"] > 0.5
    refused = edgekit(*words, "--input-spec", "images:image,channels=BGR", "-o", tmp_path / "wrong", code=11)["error"]
    assert "scale=1," in refused["message"]
