"""Of which outputs a graph says how many rows they have, and what of it goldens say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgekit.sources.facts import row_counts
from edgekit.wrappers.python import npz
from tests.unit.inputs.nets import save, value

pytestmark = pytest.mark.unit
node = helper.make_node
INT = TensorProto.INT64


def detector(path: Path, rows: int | str | None = "kept", *more: Any) -> Path:
    """Boxes and scores in; those that are kept out, as torchvision exports them."""
    nodes = [node("NonMaxSuppression", ["boxes", "scores"], ["kept"]), node("Relu", ["scores"], ["plain"]), *more]
    inputs = [value("boxes", [1, 9, 4]), value("scores", [1, 1, 9])]
    return save(path, nodes, inputs, [value("kept", [rows, 3], INT), value("plain", [1, 1, 9])], {})


def test_what_depends_on_a_suppression_is_counted(tmp_path: Path) -> None:
    assert row_counts.axes(detector(tmp_path / "a.onnx"), {}, {}) == {"rows.kept": 0}
    assert row_counts.axes(detector(tmp_path / "b.onnx", None), {}, {}) == {"rows.kept": 0}
    assert row_counts.axes(detector(tmp_path / "c.onnx", 5), {}, {}) == {}


def plain(path: Path) -> Path:
    """A size that has no name, though it is the input's."""
    return save(path, [node("Relu", ["x"], ["y"])], [value("x", ["n", 4])], [value("y", ["m", 4])], {})


def test_a_size_without_a_name_is_not_yet_a_number_of_rows(tmp_path: Path) -> None:
    model = plain(tmp_path / "net.onnx")
    assert row_counts.axes(model, {}, {}) == {}
    two = {"shape.0.y": np.array([2, 4]), "shape.1.y": np.array([3, 4])}
    others = {"0.x": np.zeros((2, 4)), "1.x": np.zeros((3, 4))}
    assert row_counts.axes(model, two, others) == {}  # the input's
    alike = {"0.x": np.zeros((5, 4)), "1.x": np.zeros((5, 4))}
    assert row_counts.axes(model, two, alike) == {"rows.y": 0}
    assert row_counts.axes(model, {**two, "shape.1.y": np.array([3, 5])}, alike) == {}
    assert row_counts.axes(model, {**two, "shape.1.y": np.array([8])}, alike) == {}


def test_goldens_say_the_axis(tmp_path: Path) -> None:
    goldens, inputs = tmp_path / "goldens.npz", tmp_path / "inputs.npz"
    recorded = {"0.kept": np.zeros(6, np.int64), "shape.0.kept": np.array([2, 3]), "recorded_on": np.array("{}")}
    npz.write(goldens, recorded)
    npz.write(inputs, {"0.boxes": np.zeros((1, 9, 4)), "0.scores": np.zeros((1, 1, 9))})
    assert row_counts.settled(detector(tmp_path / "net.onnx"), inputs, goldens) == []
    assert set(npz.read(goldens)) == {*recorded, "rows.kept"} and npz.read(goldens)["rows.kept"].tolist() == [0]


def test_random_outputs_have_no_rows_to_compare(tmp_path: Path) -> None:
    nodes = [node("Bernoulli", ["x"], ["b"]), node("NonZero", ["b"], ["y"])]
    model = save(tmp_path / "net.onnx", nodes, [value("x", [1, 8])], [value("y", [2, "n"], INT)], {})
    goldens, inputs = tmp_path / "goldens.npz", tmp_path / "inputs.npz"
    npz.write(goldens, {"0.y": np.zeros(6, np.int64), "shape.0.y": np.array([2, 3])})
    npz.write(inputs, {"0.x": np.zeros((1, 8), np.float32)})
    assert row_counts.settled(model, inputs, goldens) == ["y"] and npz.read(goldens) == {}
