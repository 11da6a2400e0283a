"""A project of three models and five targets: a real classifier of pictures, and two small nets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import helper

from edgekit.inputs import drawings, synthetic
from tests.unit.inputs.nets import save, value

TARGETS = ("linux-cpu", "windows-directml", "android-nnapi", "linux-arm64", "ios-coreml")
PICTURES = 32
PROJECT = """
targets = {targets}
[models.lines]
source = "ppocrv4-cls"
calibration = "lines"
[models.first]
source = "first.onnx"
[models.second]
source = "second.onnx"
"""


def write(home: Path) -> None:
    """The project's file, models and pictures."""
    words = ", ".join(f'"{name}"' for name in TARGETS)
    (home / "edgekit.toml").write_text(PROJECT.format(targets=f"[{words}]"), encoding="utf-8")
    for at, name in enumerate(("first", "second")):
        weights = np.random.default_rng(at).normal(0, 0.2, (64, 32)).astype(np.float32)
        nodes = [helper.make_node("MatMul", ["x", "w"], ["m"], name="l"), helper.make_node("Softplus", ["m"], ["y"])]
        save(home / f"{name}.onnx", nodes, [value("x", [4, 64])], [value("y", [4, 32])], {"w": weights})
    (home / "lines").mkdir()
    texts = [line for line in synthetic.sentences() if line.isascii()]
    for at in range(PICTURES):
        draw(home / "lines" / f"{at:02}.png", texts[at * 11 % len(texts)][: 12 + at % 20].strip(), at)


def draw(path: Path, text: str, at: int) -> None:
    """A line of text as it comes, every other one upside down."""
    drawings.line(text, 5000 + at, 48, 192).rotate(180 * (at % 2)).save(path)
