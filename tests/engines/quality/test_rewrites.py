"""A rewrite that changes the function is seen on inputs that cross its thresholds, where the calibration's do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from edgekit import quality
from edgekit.inputs.feeds import Feed
from edgekit.quality import GateContext
from tests.unit.inputs.nets import save, tensor, value

pytestmark = pytest.mark.runtimes
RANDOM = np.random.default_rng(2)
WEIGHTS = RANDOM.normal(0, 40, (16, 12)).astype(np.float32)
node = helper.make_node
INPUTS = (tensor("x", (1, 16)),)


def net(path: Path, *tail: Any, **constants: Any) -> Path:
    """h = x @ w, then the tail, whose last output is y."""
    made = [node("MatMul", ["x", "w"], ["h"]), *tail]
    known = {"w": WEIGHTS, **constants}
    return save(path, made, [value("x", [1, 16])], [value("y", [1, 12])], known)


def feeds(size: float = 1.0) -> list[Feed]:
    return [{"x": RANDOM.normal(0, size, (1, 16)).astype(np.float32)} for _ in range(20)]


CUT = [node("Cast", ["h"], ["i"], to=6), node("Cast", ["i"], ["y"], to=1)]
STEPS = [node("Mul", ["h", "k"], ["b"]), node("Floor", ["b"], ["f"]), node("Div", ["f", "k"], ["y"])]
TOP = [node("Clip", ["h", "", "most"], ["y"])]
REWRITES = {  # the source's tail, the built one's, constants, size of the user's inputs
    "a cast to int and back": (CUT, [node("Identity", ["h"], ["y"])], {}, 1.0),
    "steps of a quantizer": (STEPS, [node("Identity", ["h"], ["y"])], {"k": np.float32(0.5)}, 1.0),
    "a clip above all that was seen": (TOP, [node("Identity", ["h"], ["y"])], {"most": np.float32(600)}, 1.0),
}


@pytest.mark.parametrize("kind", REWRITES)
def test_what_the_users_own_inputs_do_not_show(tmp_path: Path, context: Callable[..., GateContext], kind: str) -> None:
    tail, rewritten, constants, size = REWRITES[kind]
    source = net(tmp_path / "source.onnx", *tail, **constants)
    built = net(tmp_path / "built.onnx", *rewritten)
    asked = {"inputs": INPUTS, "precision": "float16"}
    words = {
        verdict.metric: verdict.verdict
        for verdict in quality.gate(context(source, built, feeds(size), **asked)).verdicts
    }
    assert words.pop("sqnr_db@scaled") == "fail"
    assert set(words.values()) == {"pass"}, words  # nothing else sees it
    sound = quality.gate(context(source, source, feeds(size), **asked))
    assert sound.verdict == "pass" and "sqnr_db@scaled" in {verdict.metric for verdict in sound.verdicts}


def test_quantization_is_not_held_to_inputs_beyond_its_range(
    tmp_path: Path, context: Callable[..., GateContext]
) -> None:
    source = net(tmp_path / "source.onnx", node("Identity", ["h"], ["y"]))
    judged = quality.gate(context(source, source, feeds(), inputs=INPUTS, precision="int8"))
    assert "sqnr_db@scaled" not in {verdict.metric for verdict in judged.verdicts}


@pytest.mark.parametrize("kind", REWRITES)
def test_the_graph_that_is_quantized_is_held_to_them(
    tmp_path: Path, context: Callable[..., GateContext], kind: str
) -> None:
    """What prepares a graph for int8 may change the function too; the int8 graph itself is as near as int8 is."""
    tail, rewritten, constants, size = REWRITES[kind]
    source = net(tmp_path / "source.onnx", *tail, **constants)
    asked = {"inputs": INPUTS, "precision": "int8"}
    for prepared, verdict in ((net(tmp_path / "prepared.onnx", *rewritten), "fail"), (source, "pass")):
        judged = quality.gate(replace(context(source, source, feeds(size), **asked), prepared=prepared))
        words = {entry.metric: entry.verdict for entry in judged.verdicts}
        assert words.pop("sqnr_db@scaled") == verdict and set(words.values()) == {"pass"}
