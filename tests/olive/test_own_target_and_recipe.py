"""A target in one new TOML file and a recipe in one new Python file: CONTRIBUTING.md's own, as they stand there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from edgekit import commands
from edgekit.bundle.read import read
from tests.added import block
from tests.unit.inputs.nets import save, value

pytestmark = pytest.mark.olive


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """y = softplus(x @ w) with seeded weights."""
    weights = np.random.default_rng(3).normal(0, 0.2, (64, 32)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"], name="layer"), helper.make_node("Softplus", ["m"], ["y"])]
    return save(tmp_path / "net.onnx", nodes, [value("x", [4, 64])], [value("y", [4, 32])], {"w": weights})


def test_a_target_and_a_recipe_of_ones_own(net: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    board, recipe = tmp_path / "board.toml", tmp_path / "int8_matmul.py"
    board.write_text(block("Add a target", "toml"), encoding="utf-8")
    recipe.write_text(block("Add a recipe", "python"), encoding="utf-8")
    words = ["build", str(net), "--target", str(board), "--recipe", str(recipe), "-o", str(tmp_path / "out"), "-q"]
    assert commands.main(words) == 0

    bundle = tmp_path / "out" / "net-my-board"
    manifest = read(bundle)
    assert (manifest.recipe.name, manifest.recipe.precision) == ("int8_matmul", "int8")
    assert (manifest.target.name, manifest.target.abi) == ("my-board", ("aarch64",))  # the first is its own
    assert manifest.judged.verdict == "pass"
    graph = onnx.load(str(bundle / manifest.variants[0].path)).graph
    assert "MatMulInteger" in {node.op_type for node in graph.node}

    capfd.readouterr()
    assert commands.main(["targets", "show", str(board), "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)["data"]
    assert shown["target"]["tensor"]["budget"]["latency_p90_ms"]["max"] == 50
    assert shown["origin"]["title"].endswith("board.toml") and "linux-arm64" in shown["origin"]["abi"]


def test_a_key_that_no_target_has_is_an_error_that_names_the_nearest(
    net: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    board = tmp_path / "board.toml"
    board.write_text(block("Add a target", "toml").replace("title", "titel"), encoding="utf-8")
    assert commands.main(["build", str(net), "--target", str(board), "--dry-run"]) == 3
    assert "titel" in (said := capfd.readouterr().err) and "title" in said.replace("titel", "")
