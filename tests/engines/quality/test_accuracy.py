"""Accuracy by the user's own labels: the built model beside its source, and a source that is no better than chance."""

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
from edgekit.inputs.labels import NO_TRUTH, Truth
from edgekit.quality import GateContext
from tests.unit.inputs.nets import save, tensor, value

pytestmark = pytest.mark.runtimes
node = helper.make_node
CLASSES = np.random.default_rng(1).normal(0, 1, (4, 16)).astype(np.float32)
INPUTS = (tensor("x", (1, 16)),)


def classifier(path: Path, weights: Any = CLASSES) -> Path:
    """Scores of four classes: those whose pattern lies in the input; all inputs beyond [-8, 8] are alike to it."""
    nodes = [node("Clip", ["x", "low", "high"], ["c"]), node("MatMul", ["c", "w"], ["y"])]
    ends = {"low": np.float32(-8), "high": np.float32(8)}
    return save(path, nodes, [value("x", [1, 16])], [value("y", [1, 4])], {"w": weights.T.copy(), **ends})


def labelled(count: int = 80) -> tuple[list[Feed], Truth]:
    random = np.random.default_rng(2)
    truth = tuple(at % 4 for at in range(count))
    feeds = [{"x": (CLASSES[at] + random.normal(0, 0.4, 16)).astype(np.float32)[None]} for at in truth]
    return feeds, Truth(values=truth)


def judged(
    make: Callable[..., GateContext], tmp_path: Path, built: Any, feeds: list[Feed], truth: Truth, **said: Any
) -> dict[str, Any]:
    """The figures by metric, and the verdict of each under "verdict of METRIC"."""
    source = classifier(tmp_path / "source.onnx")
    other = classifier(tmp_path / "built.onnx", built)
    ctx = replace(make(source, other, feeds, inputs=INPUTS), mode="default", truth=truth)
    ctx = replace(ctx, source=replace(ctx.source, **said))
    quality_of = quality.gate(ctx)
    return {figure.metric: figure for figure in quality_of.measurements} | {
        f"verdict of {row.metric}": row.verdict for row in quality_of.verdicts
    }


def test_both_accuracies_stand_there_and_the_built_one_is_judged(
    tmp_path: Path, context: Callable[..., GateContext]
) -> None:
    feeds, truth = labelled()
    sound = judged(context, tmp_path, CLASSES * np.float32(1.01), feeds, truth)
    assert sound["accuracy"].value == sound["accuracy@source"].value > 0.95
    assert sound["verdict of accuracy"] == "pass" and sound["accuracy"].n == 80
    swapped = judged(context, tmp_path, CLASSES[[1, 0, 2, 3]], feeds, truth)
    assert swapped["accuracy"].value < 0.6 and swapped["verdict of accuracy"] == "fail"


def test_a_source_at_chance_is_invalid_unless_it_is_accepted(
    tmp_path: Path, context: Callable[..., GateContext], capsys: pytest.CaptureFixture[str]
) -> None:
    """Inputs a thousand times too large, as of pictures that nobody divided by 255, and none below zero."""
    feeds, truth = labelled()
    spoilt = [{"x": np.abs(feed["x"]) * np.float32(1000)} for feed in feeds]
    figures = judged(context, tmp_path, CLASSES, spoilt, truth)
    assert figures["accuracy@source"].value < 0.4
    assert "no better than chance (25%)" in figures["accuracy@source"].reason
    assert figures["verdict of accuracy"] == "invalid" and "cosine_mean" not in figures
    assert "the float source is 25% right in 80 labelled inputs" in capsys.readouterr().err
    accepted = judged(context, tmp_path, CLASSES, spoilt, truth, accepted=True)
    assert accepted["verdict of accuracy"] == "pass" and "cosine_mean" in accepted
    few = judged(context, tmp_path, CLASSES, spoilt[:12], Truth(values=truth.values[:12]))
    assert few["verdict of accuracy"] == "pass" and "no better than chance" in few["accuracy@source"].reason


def test_inputs_without_a_label_do_not_count(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    feeds, truth = labelled()
    half = Truth(values=tuple(None if at % 2 else label for at, label in enumerate(truth.values)))
    assert judged(context, tmp_path, CLASSES, feeds, half)["accuracy"].n == 40
    assert "accuracy" not in judged(context, tmp_path, CLASSES, feeds, NO_TRUTH)


def test_labels_that_are_not_used_are_named_and_judged_where_somebody_gave_them(
    tmp_path: Path, context: Callable[..., GateContext]
) -> None:
    feeds, _ = labelled()
    lying = judged(context, tmp_path, CLASSES, feeds, Truth("boxes", why="outputs say no boxes"))
    assert lying["mean_average_precision@source"].reason == "outputs say no boxes"
    assert "verdict of mean_average_precision" not in lying and lying["verdict of cosine_mean"] == "pass"
    asked_for = judged(context, tmp_path, CLASSES, feeds, Truth("boxes", why="outputs say no boxes", asked=True))
    assert asked_for["verdict of mean_average_precision"] == "not-measured"
