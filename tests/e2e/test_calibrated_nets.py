"""Nets calibrated on a folder: through Olive, gated on what calibration did not see, and still good for their job."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from edgekit.inputs import drawings, sounds
from tests.e2e import pictures
from tests.e2e.command import edgekit, judged, manifest
from tests.unit.inputs.nets import save, value

pytestmark = pytest.mark.olive

TEXT = "Harbour 2026"


def build(source: str | Path, out: Path, *more: str | Path) -> tuple[Path, dict[str, Any]]:
    """The bundle's folder and its manifest."""
    made = edgekit("build", source, "--target", "linux-cpu", "-o", out, "--quality", "fast", *more)
    bundle = Path(made["data"]["bundles"][0]["path"])
    return bundle, manifest(bundle)


def measured(manifest: dict[str, Any]) -> dict[str, float]:
    return {one["metric"]: one.get("value") for one in judged(manifest)["measurements"]}


@pytest.mark.nightly
def test_recognition_of_lines_is_static_int8_and_still_reads(tmp_path: Path) -> None:
    (tmp_path / "lines").mkdir()
    for at, picture in enumerate(pictures.lines(96, 320)):
        picture.save(tmp_path / "lines" / f"{at:02}.png")
    bundle, manifest = build("ppocrv4-rec", tmp_path, "--calibration", tmp_path / "lines")
    assert manifest["recipe"]["name"] == "int8_qdq"
    assert manifest["recipe"]["calibration"] | {"sha256": ""} == {
        "inputs": 96, "form": "image", "calibration": 32, "evaluation": 64, "sha256": "",
    }  # fmt: skip
    assert judged(manifest)["verdict"] == "pass"
    assert "64 inputs that calibration did not see" in " ".join(judged(manifest)["notes"])
    assert measured(manifest)["character_agreement"] >= 0.98
    size = next(one["size"] for one in manifest["files"] if one["path"].endswith("model.onnx"))
    assert size < 0.6 * manifest["model"]["source_bytes"]
    drawings.line(TEXT, 3, 48, 320).save(tmp_path / "line.png")
    read = edgekit("run", bundle, "--input", tmp_path / "line.png")["data"]["calls"][0]["outputs"][0]["text"]
    assert read.replace(" ", "").strip("'") == TEXT.replace(" ", "")


@pytest.mark.nightly
def test_detection_in_pages_is_static_int8_and_finds_the_same_boxes(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    for at, picture in enumerate(pictures.pages(80)):
        picture.save(tmp_path / "pages" / f"{at:02}.png")
    _, manifest = build("ppocrv4-det", tmp_path, "--calibration", tmp_path / "pages")
    assert manifest["recipe"]["name"] == "int8_qdq" and judged(manifest)["verdict"] == "pass"
    assert measured(manifest)["box_f1"] >= 0.9


def test_a_model_that_int8_would_ruin_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    for at in range(4):
        with wave.open(str(tmp_path / "sounds" / f"{at}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes((sounds.recording(900 + at, 16000, 4.0) * 32767).astype("<i2").tobytes())
    words = ("build", "swift-f0", "--target", "linux-cpu", "-o", tmp_path / "out", "--calibration", tmp_path / "sounds")
    (tmp_path / "out").mkdir()
    said = edgekit(*words, "--recipe", "int8_qdq", code=5)["error"]
    assert "int8 costs this model too much" in said["message"] and "--recipe float32" in said["next"]
    assert not list((tmp_path / "out").iterdir())


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """A net of convolutions with random weights and one operator without a name; sizes and batch vary."""
    random = np.random.default_rng(11)

    def weights(*shape: int) -> Any:
        return (random.normal(0, 1, shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["c1"], name="stem", strides=[2, 2]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("Add", ["r2", "r1"], ["a"]),
        helper.make_node("Conv", ["a", "w3"], ["c3"], name="deep", group=16),
        helper.make_node("GlobalAveragePool", ["c3"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "w4", "b4"], ["y"], name="head"),
    ]
    constants = {
        "w1": weights(16, 3, 3, 3), "w2": weights(16, 16, 3, 3), "b2": weights(16, 1).reshape(16),
        "w3": weights(16, 1, 3, 3), "w4": weights(16, 10), "b4": weights(10, 1).reshape(10),
    }  # fmt: skip
    inputs = [value("x", ["batch", 3, "h", "w"])]
    return save(tmp_path / "my net.onnx", nodes, inputs, [value("y", ["batch", 10])], constants)


def test_any_onnx_file_is_calibrated_on_arrays_of_several_sizes(classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for at in range(48):
        size = (32, 40) if at % 2 else (48, 24)
        picture = drawings.scene([], at, *size)
        array = np.asarray(picture, np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
        np.savez(tmp_path / "data" / f"{at:02}.npz", x=array)
    bundle, manifest = build(classifier, tmp_path / "out", "--calibration", tmp_path / "data")
    assert manifest["recipe"]["name"] == "int8_qdq" and judged(manifest)["verdict"] == "pass"
    assert measured(manifest)["sqnr_db"] > 15
    graph = onnx.load(str(bundle / manifest["variants"][0]["path"])).graph
    assert sum(node.op_type == "QuantizeLinear" for node in graph.node) >= 2
    assert [one.name for one in graph.input] == ["x"] and [one.name for one in graph.output] == ["y"]
