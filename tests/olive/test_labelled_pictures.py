"""Pictures in class folders, or with a table of labels: accuracy stands beside the rest, and a wrong scale is told."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from PIL import Image

from tests.e2e.command import edgekit, judged, manifest, said
from tests.unit.inputs.nets import save, value

pytestmark = pytest.mark.olive
COLOURS = {"blue": (40, 60, 200), "green": (50, 190, 70), "red": (210, 50, 40)}
SPEC = "x:image,width=16,height=16"


def net(path: Path) -> Path:
    """Three scores, in the order of COLOURS, of values from 0 to 1; of larger ones all are the same."""
    node = helper.make_node
    nodes = [
        node("Clip", ["x", "low", "high"], ["c"]),
        node("GlobalAveragePool", ["c"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("MatMul", ["f", "w"], ["y"]),
    ]
    weights = {"w": np.eye(3, dtype=np.float32)[::-1].copy(), "low": np.float32(0), "high": np.float32(1)}
    return save(path, nodes, [value("x", [1, 3, 16, 16])], [value("y", [1, 3])], weights)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty noisy pictures of each colour, in a folder by its name."""
    random = np.random.default_rng(6)
    made = tmp_path_factory.mktemp("pictures") / "classes"
    for name, colour in COLOURS.items():
        (made / name).mkdir(parents=True)
        for at in range(20):
            values = np.clip(np.array(colour) + random.normal(0, 25, (16, 16, 3)), 1, 255)
            Image.fromarray(values.astype(np.uint8)).save(made / name / f"{name}{at:02}.png")
    return made


def figures(out: Path) -> dict[str, Any]:
    quality = judged(manifest(out / "net-linux-cpu"))
    notes = {"notes": " ".join(quality["notes"])}
    return {figure["metric"]: figure.get("value") for figure in quality["measurements"]} | notes


def test_class_folders_and_a_scale_that_is_wrong(folder: Path, tmp_path: Path) -> None:
    words = ("build", net(tmp_path / "net.onnx"), "--target", "linux-cpu", "--recipe", "keep", "--calibration", folder)
    plan = edgekit(*words, "--input-spec", SPEC, "--dry-run")["data"]["plans"][0]
    assert any("'x' is made of pictures" in note and "scale 0.00392157 (default)" in note for note in plan["notes"])
    edgekit(*words, "--input-spec", SPEC, "-o", tmp_path / "right")
    right = figures(tmp_path / "right")
    assert right["accuracy"] == right["accuracy@source"] == 1
    assert "labels of 3 classes are the model's, in alphabetical order" in right["notes"]
    bundle = ("quality", tmp_path / "right" / "net-linux-cpu", "--against", tmp_path / "net.onnx")
    again = edgekit(*bundle, "--calibration", folder)["data"]  # inputs as the bundle says, without --input-spec
    assert {"accuracy", "accuracy@source"} <= {figure["metric"] for figure in again["measurements"]}
    wrong = (*words, "--input-spec", f"{SPEC},scale=1")
    refused, heard = said(*wrong, "-o", tmp_path / "wrong", codes=(11,))
    assert "the float source is 3" in heard and "right in 40 labelled inputs: no better than chance" in heard
    told = refused["error"]
    assert "100% right instead of" in told["message"] and "channels=RGB,scale=1/255,mean=0,std=1" in told["message"]
    assert "edgekit explain" in told["next"]


def test_a_table_of_labels(folder: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in folder.rglob("*.png"):
        shutil.copy(path, flat)
    rows = [f"{path.name},{sorted(COLOURS).index(path.name[:-6])}" for path in sorted(flat.iterdir())]
    (tmp_path / "truth.csv").write_text("file,class\n" + "\n".join(rows) + "\n")
    words = ("build", net(tmp_path / "net.onnx"), "--target", "linux-cpu", "--recipe", "keep", "--input-spec", SPEC)
    labels = ("--labels", tmp_path / "truth.csv")
    edgekit(*words, "--calibration", flat, *labels, "-o", tmp_path / "out")
    assert figures(tmp_path / "out")["accuracy"] == 1
    assert "as the numbers of the classes" in figures(tmp_path / "out")["notes"]
    assert "--calibration" in edgekit(*words, *labels, "-o", tmp_path / "none", code=2)["error"]["next"]
    (tmp_path / "truth.csv").write_text("file,class\nother.png,1\n")
    refused = edgekit(*words, "--calibration", flat, *labels, "-o", tmp_path / "none", code=2)["error"]
    assert "names none of the files" in refused["message"]
