"""What stands in for the user's own inputs in a bundle: of the same sizes and spread, and none of their values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.inputs import standins
from edgekit.model import ImageInput
from tests.unit.inputs import nets

pytestmark = pytest.mark.runtimes


def test_noise_is_like_the_users_arrays_and_holds_none_of_them(tmp_path: Path) -> None:
    model = nets.model(
        nets.tensor("x", (1, "n")),
        nets.tensor("ids", (1, "n"), dtype="int64"),
        nets.tensor("mask", (1, "n"), dtype="bool"),
        nets.tensor("state", (1, 4)),
        nets.tensor("length", (1,), dtype="int64"),
    )
    path = nets.passthrough(tmp_path / "m.onnx", model)
    random = np.random.default_rng(1)
    own = [
        {
            "x": random.normal(3, 0.5, (1, size)).astype(np.float32),
            "ids": random.integers(5, 90, (1, size)),
            "mask": random.random((1, size)) < 0.5,
            "state": np.zeros((1, 4), np.float32),
            "length": np.array([size]),
        }
        for size in range(400, 412)
    ]
    feeds, said = standins.of(model, None, path, own)
    assert feeds is not None and len(feeds) == 8 and said.startswith("check/ holds noise") and "--own-inputs" in said
    for mine, other in zip(own, feeds, strict=False):
        assert {name: (array.shape, array.dtype) for name, array in mine.items()} == {
            name: (array.shape, array.dtype) for name, array in other.items()
        }
        assert not np.isin(other["x"], mine["x"]).any() or np.isin(other["x"], mine["x"]).mean() < 0.02
        assert other["x"].mean() == pytest.approx(3, abs=0.2) and other["x"].std() == pytest.approx(0.5, abs=0.1)
        assert mine["ids"].min() <= other["ids"].min() and other["ids"].max() <= mine["ids"].max()
        assert (other["ids"] == mine["ids"]).mean() < 0.1
        assert not other["state"].any() and other["length"] == mine["length"]
    again, _ = standins.of(model, None, path, own)
    assert again is not None and all(np.array_equal(a["x"], b["x"]) for a, b in zip(feeds, again, strict=True))


def test_what_can_be_drawn_is_drawn(tmp_path: Path) -> None:
    model = nets.model(nets.tensor("x", (1, 3, 8, 8), ImageInput(height=8, width=8, layout="NCHW")))
    own = [{"x": np.full((1, 3, 8, 8), at, np.float32)} for at in range(3)]
    feeds, said = standins.of(model, None, nets.passthrough(tmp_path / "m.onnx", model), own)
    assert feeds is not None and len(feeds) == 3 and said.startswith("check/ holds drawn pictures")


def test_a_model_that_takes_no_noise_gets_nothing(tmp_path: Path) -> None:
    model = nets.model(nets.tensor("x", (1, 4)))
    path = nets.passthrough(tmp_path / "m.onnx", model)
    feeds, said = standins.of(model, None, path, [{"x": np.arange(5, dtype=np.float32)[None]}])
    assert feeds is None and "does not take noise" in said
