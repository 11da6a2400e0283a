"""Which operators of a graph draw random numbers, wherever they stand, and what depends on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from edgekit.sources.facts import random_operators
from tests.unit.inputs.nets import save, value

pytestmark = pytest.mark.unit
node = helper.make_node
X, Y = [value("x", [1, 8])], [value("y", [1, 8])]


def net(path: Path, *nodes: Any, outputs: Any = None, **constants: Any) -> Path:
    return save(path, list(nodes), X, outputs or Y, {"w": np.eye(8, dtype=np.float32), **constants})


def function(path: Path) -> Path:
    """y = noisy(x), where the noise is in a local function that another one calls."""
    own = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    inner = helper.make_function(
        "own", "noise", ["a"], ["b"], [node("RandomNormalLike", ["a"], ["n"]), node("Add", ["a", "n"], ["b"])], own
    )
    outer = helper.make_function("own", "noisy", ["a"], ["b"], [node("noise", ["a"], ["b"], domain="own")], own)
    graph = helper.make_graph([node("noisy", ["x"], ["y"], domain="own")], "g", X, Y)
    onnx.save(helper.make_model(graph, opset_imports=own, functions=[inner, outer], ir_version=8), path)
    return path


def branch(path: Path) -> Path:
    """y = x, or x with noise: in a branch of If."""
    noisy = helper.make_graph(
        [node("RandomUniformLike", ["x"], ["n"]), node("Add", ["x", "n"], ["a"])], "t", [], [value("a", [1, 8])]
    )
    plain = helper.make_graph([node("Identity", ["x"], ["b"])], "e", [], [value("b", [1, 8])])
    return net(path, node("If", ["c"], ["y"], then_branch=noisy, else_branch=plain), c=np.array(True))


def dropout(path: Path, *mode: Any) -> Path:
    names = ["x", "ratio", "mode"][: 2 + len(mode)]
    constants = {"mode": np.array(mode[0])} if mode else {}
    return net(path, node("Dropout", names, ["y"]), ratio=np.float32(0.5), **constants)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: net(path, node("RandomNormalLike", ["x"], ["z"]), node("Add", ["x", "z"], ["y"])),
         "RandomNormalLike"),
        (lambda path: net(path, node("RandomUniform", [], ["z"], shape=[1, 8]), node("Add", ["x", "z"], ["y"])),
         "RandomUniform"),
        (lambda path: net(path, node("Sigmoid", ["x"], ["p"]), node("Bernoulli", ["p"], ["y"])), "Bernoulli"),
        (lambda path: net(path, node("Multinomial", ["x"], ["m"], sample_size=8), node("Cast", ["m"], ["y"], to=1)),
         "Multinomial"),
        (function, "RandomNormalLike"),
        (branch, "RandomUniformLike"),
        (lambda path: dropout(path, True), "Dropout in training mode"),
    ],
)  # fmt: skip
def test_what_draws_is_seen_wherever_it_stands(tmp_path: Path, make: Any, words: str) -> None:
    path = make(tmp_path / "net.onnx")
    assert random_operators.named(path) == words
    assert random_operators.outputs(path) == ["y"]
    proto, again = random_operators.parse(path), random_operators.parse(path)
    assert len(random_operators.seeded(proto)) == len(random_operators.seeded(again)) == 1
    assert again == proto != random_operators.parse(path)
    onnx.checker.check_model(proto)


@pytest.mark.parametrize("mode", [(), (False,)])
def test_dropout_of_a_trained_net_draws_nothing(tmp_path: Path, mode: tuple[bool, ...]) -> None:
    path = dropout(tmp_path / "net.onnx", *mode)
    assert random_operators.named(path) == "" and random_operators.outputs(path) == []


def test_outputs_beside_the_noise_keep_their_goldens(tmp_path: Path) -> None:
    """z depends on the noise at some distance, y not at all; a second operator gets a seed of its own."""
    path = net(
        tmp_path / "net.onnx",
        node("MatMul", ["x", "w"], ["y"]),
        node("RandomNormalLike", ["y"], ["n"], seed=3.0),
        node("RandomNormal", [], ["k"], shape=[1, 8]),
        node("Mul", ["n", "k"], ["m"]),
        node("Tanh", ["m"], ["z"]),
        outputs=[*Y, value("z", [1, 8])],
    )
    assert random_operators.outputs(path) == ["z"]
    assert random_operators.named(path) == "RandomNormal, RandomNormalLike"
    proto = random_operators.parse(path)
    assert random_operators.seeded(proto) == ["RandomNormalLike", "RandomNormal"]
    seeds = [part.f for operator in proto.graph.node for part in operator.attribute if part.name == "seed"]
    assert len(set(seeds)) == 2 and 3.0 not in seeds


GOLDENS = ("0.y", "shape.0.y", "0.z", "shape.0.z", "12.z", "shape.12.z", "recorded_on")
LENGTHS: dict[
    str, tuple[Any, bool]
] = {  # the output's sizes -> whether a random number can change them, as far as the graph says
    "fixed": ([1, 8], True),
    "the input's": (["batch", 8], True),
    "of its own": (["batch", "samples"], False),  # a voice that draws how long its sounds last
    "of no name": ([1, None], False),
}


@pytest.mark.parametrize("case", LENGTHS)
def test_shapes_that_no_random_number_changes_stay_goldens(case: str, tmp_path: Path) -> None:
    shape, known = LENGTHS[case]
    path = save(
        tmp_path / "net.onnx",
        [node("Relu", ["x"], ["y"]), node("RandomNormalLike", ["x"], ["n"]), node("Add", ["n", "x"], ["z"])],
        [value("x", ["batch", 8])],
        [value("y", ["batch", 8]), value("z", shape)],
        {},
    )
    kept = random_operators.without(dict.fromkeys(GOLDENS, np.zeros(1)), path)
    shapes = {"shape.0.z", "shape.12.z"} if known else set()
    assert set(kept) == {"0.y", "shape.0.y", "recorded_on"} | shapes


def test_a_name_with_dots_and_numbers_is_a_name(tmp_path: Path) -> None:
    path = save(
        tmp_path / "net.onnx", [node("RandomNormalLike", ["x"], ["shape.0.z"])], X, [value("shape.0.z", [1, 8])], {}
    )
    keys = ("0.shape.0.z", "shape.0.shape.0.z", "recorded_on")
    assert set(random_operators.without(dict.fromkeys(keys, np.zeros(1)), path)) == set(keys[1:])
