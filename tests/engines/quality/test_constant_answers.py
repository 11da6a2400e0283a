"""A model that always answers the same fails the gate, whatever kind of answer it is; a slightly noisy one does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit import quality
from edgekit.inputs.feeds import Feed
from edgekit.quality import GateContext
from edgekit.results.measurement import Measurement
from tests.bench.faults import constant_answers
from tests.unit.inputs.nets import save, tensor, value

pytestmark = pytest.mark.runtimes
RANDOM = np.random.default_rng(3)
Make = Callable[[Path], Path]


def normal(*shape: int) -> Any:
    return RANDOM.normal(0, 1, shape).astype(np.float32)


def net(tail: list[Any], output: list[int | str], constants: dict[str, Any], kind: int = TensorProto.FLOAT) -> Make:
    """h = x @ w of [1, 16], then the tail, whose last output is y."""

    def make(path: Path) -> Path:
        nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), *tail]
        known = {"w": WEIGHTS, **constants}
        return save(path, nodes, [value("x", [1, 16])], [value("y", output, kind)], known)

    return make


WEIGHTS = normal(16, 16) / 4
node = helper.make_node
RARE = np.array([-6.0, 6.0], np.float32)  # nearly every answer is .000006/.999994
HEADS: dict[str, Make] = {
    "softmax, nearly always one class": net(
        [node("MatMul", ["h", "v"], ["l"]), node("Add", ["l", "b"], ["s"]), node("Softmax", ["s"], ["y"])],
        [1, 2], {"v": normal(16, 2), "b": RARE},
    ),
    "softmax of many classes": net([node("MatMul", ["h", "v"], ["l"]), node("Softmax", ["l"], ["y"])], [1, 40],
        {"v": normal(16, 40)}),
    "sigmoid, seldom above .01": net(
        [node("MatMul", ["h", "v"], ["l"]), node("Sub", ["l", "b"], ["s"]), node("Sigmoid", ["s"], ["y"])],
        [1, 1], {"v": normal(16, 1), "b": np.float32(8)},
    ),
    "embedding around one direction": net(
        [node("Add", ["h", "b"], ["e"]), node("LpNormalization", ["e"], ["y"], axis=1, p=2)],
        [1, 16], {"b": np.full(16, 20, np.float32)},
    ),
    "temperature in kelvin": net(
        [node("MatMul", ["h", "v"], ["t"]), node("Mul", ["t", "k"], ["u"]), node("Add", ["u", "b"], ["y"])],
        [1, 1], {"v": normal(16, 1) / 4, "k": np.float32(0.5), "b": np.float32(293)},
    ),
    "mask of probabilities": net(
        [node("MatMul", ["h", "v"], ["l"]), node("Sub", ["l", "b"], ["o"]), node("Sigmoid", ["o"], ["p"]),
         node("Reshape", ["p", "shape"], ["y"])],
        [1, 1, 12, 12], {"v": normal(16, 144) * 2, "b": np.float32(14), "shape": np.array([1, 1, 12, 12])},
    ),
    "mask of labels": net(
        [node("MatMul", ["h", "v"], ["l"]), node("Greater", ["l", "b"], ["o"]), node("Cast", ["o"], ["c"], to=7),
         node("Reshape", ["c", "shape"], ["y"])],
        [1, 12, 12], {"v": normal(16, 144) * 2, "b": np.float32(16), "shape": np.array([1, 12, 12])}, TensorProto.INT64,
    ),
    "label, nearly always one": net(
        [node("MatMul", ["h", "v"], ["l"]), node("Add", ["l", "b"], ["s"]), node("ArgMax", ["s"], ["y"], axis=1)],
        [1, 1], {"v": normal(16, 3), "b": np.array([9, 0, 0], np.float32)}, TensorProto.INT64,
    ),
    "sequence, nearly all blank": net(
        [node("MatMul", ["h", "v"], ["l"]), node("Reshape", ["l", "shape"], ["t"]), node("Add", ["t", "b"], ["s"]),
         node("Softmax", ["s"], ["y"])],
        [1, 20, 6], {"v": normal(16, 120), "b": np.array([12, 0, 0, 0, 0, 0], np.float32),
                     "shape": np.array([1, 20, 6])},
    ),
}  # fmt: skip
DECODE = {"softmax of many classes": "classes", "sequence, nearly all blank": "ctc"}


def feeds(count: int = 120) -> list[Feed]:
    return [{"x": np.random.default_rng(at).normal(0, 1, (1, 16)).astype(np.float32)} for at in range(count)]


def noisy(source: Path, out: Path) -> Path:
    """The same net with weights a 2,000th off: what float16 would do."""
    model = onnx.load(source)
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "w")
    off = WEIGHTS * (1 + np.random.default_rng(5).normal(0, 5e-4, WEIGHTS.shape)).astype(np.float32)
    weights.CopyFrom(numpy_helper.from_array(off, "w"))
    onnx.save(model, out)
    return out


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("precision", ["int8", "w8a16"])
def test_a_constant_fails_and_a_sound_model_passes(
    tmp_path: Path, context: Callable[..., GateContext], head: str, precision: str
) -> None:
    source = HEADS[head](tmp_path / "source.onnx")
    still = constant_answers(source, tmp_path / "still.onnx", feeds())
    sound = noisy(source, tmp_path / "sound.onnx")
    asked = {"inputs": (tensor("x", (1, 16)),), "decode": DECODE.get(head, "none"), "precision": precision}
    verdicts = {built.stem: quality.gate(context(source, built, feeds(), **asked)) for built in (still, sound)}
    assert verdicts["sound"].verdict == "pass", verdicts["sound"].verdicts
    assert verdicts["still"].verdict == "fail", verdicts["still"].measurements
    failed = [judged.metric for judged in verdicts["still"].verdicts if judged.verdict == "fail"]
    assert "nonfinite_outputs" not in failed and "shape_mismatches" not in failed


def measured(measurements: Sequence[Measurement]) -> dict[str, float | None]:
    return {figure.metric: figure.value for figure in measurements}


def test_whole_outputs_would_have_passed(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    """The figures that were judged once stand beside, and are within the limits of int8."""
    for head in ("softmax, nearly always one class", "temperature in kelvin", "embedding around one direction"):
        source = HEADS[head](tmp_path / "source.onnx")
        still = constant_answers(source, tmp_path / "still.onnx", feeds())
        figures = measured(quality.gate(context(source, still, feeds(), inputs=(tensor("x", (1, 16)),))).measurements)
        assert (figures["cosine_mean@plain"] or 0) > 0.97 and (figures["sqnr_db@plain"] or 0) > 12
        around_the_mean = figures.get("rank_agreement", figures.get("cosine_mean"))
        assert around_the_mean is not None and around_the_mean < 0.5


def test_what_hardly_varies_is_judged_by_its_order(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    source = HEADS["temperature in kelvin"](tmp_path / "source.onnx")
    sound = noisy(source, tmp_path / "sound.onnx")
    judged = quality.gate(context(source, sound, feeds(), inputs=(tensor("x", (1, 16)),)))
    metrics = {verdict.metric for verdict in judged.verdicts}
    assert "rank_agreement" in metrics and not metrics & {"cosine_mean", "sqnr_db"}
    order = next(figure for figure in judged.measurements if figure.metric == "rank_agreement")
    assert order.value is not None and order.value > 0.99 and "departs from its mean by 0.00" in order.reason


def test_many_answers_are_not_all_kept(
    tmp_path: Path, context: Callable[..., GateContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source is run a second time where its answers are too many to keep, with the same findings."""
    from edgekit.quality import _survey

    source = HEADS["softmax of many classes"](tmp_path / "source.onnx")
    sound = noisy(source, tmp_path / "sound.onnx")
    asked = {"inputs": (tensor("x", (1, 16)),), "decode": "classes"}
    kept = measured(quality.gate(context(source, sound, feeds(), **asked)).measurements)
    monkeypatch.setattr(_survey, "ROOM", 1000)
    assert measured(quality.gate(context(source, sound, feeds(), **asked)).measurements) == kept
