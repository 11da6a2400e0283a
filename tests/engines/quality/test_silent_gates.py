"""A gate that could not measure says so by the name of its metric, and a source that is no reference is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from edgekit import quality
from edgekit.errors import NotMeasured
from edgekit.inputs.feeds import Feed
from edgekit.quality import GateContext
from edgekit.results.measurement import Measurement
from tests.unit.inputs.nets import save, tensor, value

pytestmark = pytest.mark.runtimes
RANDOM = np.random.default_rng(5)
WEIGHTS = RANDOM.normal(0, 1, (16, 12)).astype(np.float32)
SIGNS = np.array([1] + [-1] * 11, np.float32)
node = helper.make_node


def net(path: Path, tail: list[Any], **constants: Any) -> Path:
    """a = |x @ w|, then the tail, whose last output is y [1, 12]."""
    nodes = [node("MatMul", ["x", "w"], ["h"]), node("Abs", ["h"], ["a"]), *tail]
    return save(path, nodes, [value("x", [1, 16])], [value("y", [1, 12])], {"w": WEIGHTS, **constants})


def feeds(count: int = 20) -> list[Feed]:
    return [{"x": RANDOM.normal(0, 1, (1, 16)).astype(np.float32)} for _ in range(count)]


def by_name(measurements: tuple[Measurement, ...]) -> dict[str, Measurement]:
    return {figure.metric: figure for figure in measurements}


ZERO = np.zeros(12, np.float32)
NO_NUMBERS = {
    "roots of negative values": ([node("Mul", ["a", "s"], ["b"]), node("Sqrt", ["b"], ["y"])], {"s": SIGNS}),
    "logarithms of negative values": ([node("Mul", ["a", "s"], ["b"]), node("Log", ["b"], ["y"])], {"s": SIGNS}),
    "zero by zero for every second input": (
        [
            node("ReduceSum", ["h", "axes"], ["sum"], keepdims=1),
            node("Relu", ["sum"], ["r"]),
            node("Mul", ["h", "r"], ["n"]),
            node("Div", ["n", "r"], ["y"]),
        ],
        {"axes": np.array([1])},
    ),
    "infinity everywhere": (
        [node("Sub", ["a", "a"], ["z"]), node("Log", ["z"], ["l"]), node("Where", ["c", "a", "l"], ["y"])],
        {"c": np.array([True] + [False] * 11)},
    ),
}


@pytest.mark.parametrize("kind", NO_NUMBERS)
def test_a_source_of_few_numbers_is_no_reference(
    tmp_path: Path, context: Callable[..., GateContext], kind: str
) -> None:
    tail, constants = NO_NUMBERS[kind]
    source = net(tmp_path / "source.onnx", tail, **constants)
    judged = quality.gate(context(source, source, feeds(), inputs=(tensor("x", (1, 16)),), precision="float32"))
    assert judged.verdict == "not-measured"
    figures = by_name(judged.measurements)
    assert (figures["nonfinite_outputs@source"].value or 0) >= 100
    for metric in ("cosine_mean", "cosine_p05", "sqnr_db"):
        assert figures[metric].value is None and "the source itself answers" in figures[metric].reason
    error = quality.explain(judged)
    assert isinstance(error, NotMeasured) and "the source itself answers" in error.message
    assert "export it anew" in error.next


@pytest.mark.parametrize(
    ("tail", "constants", "words"),
    [
        ([node("Relu", ["h"], ["r"]), node("Log", ["r"], ["y"])], {}, "infinite"),  # of half of the values
        ([node("Where", ["c", "ninf", "h"], ["y"])],
         {"c": np.array([True] * 8 + [False] * 4), "ninf": np.full(12, -np.inf, np.float32)}, "66.7% infinite"),
        ([node("Mul", ["a", "s"], ["b"]), node("Sqrt", ["b"], ["y"])],
         {"s": np.array([-1] + [1] * 11, np.float32)}, "8.3% NaN"),
    ],
)  # fmt: skip
def test_some_that_are_not_finite_are_said_and_the_rest_is_judged(
    tmp_path: Path,
    context: Callable[..., GateContext],
    tail: list[Any],
    constants: dict[str, Any],
    words: str,
) -> None:
    source = net(tmp_path / "source.onnx", tail, **constants)
    judged = quality.gate(context(source, source, feeds(), inputs=(tensor("x", (1, 16)),), precision="float32"))
    assert judged.verdict == "pass"
    assert words in by_name(judged.measurements)["nonfinite_outputs@source"].reason


def test_a_sound_source_has_no_row_of_it(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    source = net(tmp_path / "source.onnx", [node("Sqrt", ["a"], ["y"])])
    judged = quality.gate(context(source, source, feeds(), inputs=(tensor("x", (1, 16)),)))
    assert judged.verdict == "pass" and "nonfinite_outputs@source" not in by_name(judged.measurements)


def test_embeddings_without_a_mask_are_not_measured(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    source = net(tmp_path / "source.onnx", [node("Sqrt", ["a"], ["y"])])
    asked = {"inputs": (tensor("x", (1, 16)),), "decode": "mean-pool"}
    judged = quality.gate(context(source, source, feeds(), **asked))
    assert judged.verdict == "not-measured"
    words = {verdict.metric: verdict.verdict for verdict in judged.verdicts}
    assert words["embedding_cosine"] == words["embedding_spearman"] == "not-measured"
