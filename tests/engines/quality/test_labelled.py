"""Texts, boxes and pictures with labels: both models' figures, and a source whose inputs are made in a wrong way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from edgekit import quality
from edgekit.inputs import images
from edgekit.inputs.feeds import Feed
from edgekit.inputs.labels import Truth
from edgekit.model import ImageInput
from edgekit.quality import GateContext, advice
from tests.unit.inputs.nets import save, tensor, value

pytestmark = pytest.mark.runtimes
node = helper.make_node
LETTERS = ("", "A", "B", "C", " ")
TEXTS = ["".join(np.random.default_rng(at).permutation(list("AABBCC "))).strip() for at in range(25)]
Make = Callable[..., GateContext]


def figures(ctx: GateContext) -> dict[str, Any]:
    quality_of = quality.gate(replace(ctx, mode="default"))
    verdicts = {f"verdict of {row.metric}": row.verdict for row in quality_of.verdicts}
    return {figure.metric: figure for figure in quality_of.measurements} | verdicts


def reader(path: Path, order: tuple[int, ...] = (0, 1, 2, 3, 4)) -> Path:
    """Scores [1, steps, 5] as they are given, or with the characters in another order."""
    names = {"at": np.array(order, np.int64)}
    shape = [1, "steps", 5]
    return save(path, [node("Gather", ["x", "at"], ["y"], axis=2)], [value("x", shape)], [value("y", shape)], names)


def spoken(texts: list[str]) -> list[Feed]:
    """Each character once, a blank behind it."""
    random = np.random.default_rng(3)
    steps = [[part for letter in text for part in (LETTERS.index(letter), 0)] for text in texts]
    return [
        {"x": (np.eye(5)[row] * 3 + random.normal(0, 0.1, (len(row), 5))).astype(np.float32)[None]} for row in steps
    ]


def of_texts(make: Make, at: Path, order: tuple[int, ...], said: list[str] | None = None) -> dict[str, Any]:
    reads = reader(at / "source.onnx"), reader(at / "built.onnx", order)
    ctx = make(*reads, spoken(TEXTS), inputs=(tensor("x", (1, "steps", 5)),), decode="ctc")
    (at / "labels.txt").write_text("".join(f"{letter}\n" for letter in LETTERS))
    contract = ctx.contract.model_copy(update={"labels": "labels.txt"})
    return figures(replace(ctx, contract=contract, truth=Truth("text", tuple(said or TEXTS))))


def test_error_rates_of_both_models(tmp_path: Path, context: Make) -> None:
    same = of_texts(context, tmp_path, (0, 1, 2, 3, 4))
    assert same["character_error_rate"].value == same["word_error_rate@source"].value == 0
    assert same["verdict of character_error_rate"] == same["verdict of word_error_rate"] == "pass"
    turned = of_texts(context, tmp_path, (0, 2, 1, 3, 4))
    assert turned["character_error_rate@source"].value == 0 and turned["character_error_rate"].value > 0.3
    assert turned["verdict of character_error_rate"] == turned["verdict of word_error_rate"] == "fail"


def test_texts_in_the_other_case_are_the_same_where_the_model_has_one(tmp_path: Path, context: Make) -> None:
    lower = of_texts(context, tmp_path, (0, 1, 2, 3, 4), [text.lower() for text in TEXTS])
    assert lower["character_error_rate"].value == 0


def test_texts_of_other_inputs_are_chance(tmp_path: Path, context: Make) -> None:
    others = of_texts(context, tmp_path, (0, 1, 2, 3, 4), TEXTS[3:] + TEXTS[:3])
    assert others["verdict of character_error_rate"] == "invalid"
    assert "no better than chance" in others["character_error_rate"].reason


def test_an_alphabet_in_another_order_is_chance(tmp_path: Path, context: Make) -> None:
    turned = [text.translate(str.maketrans("ABC", "BCA")) for text in TEXTS]
    other = of_texts(context, tmp_path, (0, 1, 2, 3, 4), turned)
    assert other["verdict of character_error_rate"] == "invalid"
    assert "no better than chance" in other["character_error_rate"].reason


def test_average_precision_of_both_models(tmp_path: Path, context: Make) -> None:
    shape = [1, 1, 64, 96]
    copy = save(
        tmp_path / "source.onnx", [node("Identity", ["x"], ["y"])], [value("x", shape)], [value("y", shape)], {}
    )
    fades = node("Mul", ["x", "k"], ["y"])
    faint = {"k": np.linspace(1.0, 0.0, 96).astype(np.float32)}
    built = save(tmp_path / "built.onnx", [fades], [value("x", shape)], [value("y", shape)], faint)
    random = np.random.default_rng(4)
    feeds, truth = [], []
    for _ in range(24):
        drawn = np.zeros((64, 96), np.float32)
        left, top = random.integers(2, 50), random.integers(4, 40)
        drawn[top : top + 10, left : left + 30] = 0.9
        feeds.append({"x": drawn[None, None]})
        grown = 30 * 10 * 1.6 / (2 * (30 + 10))
        truth.append([[0, left - grown, top - grown, left + 30 + grown, top + 10 + grown]])
    asked = {"inputs": (tensor("x", (1, 1, 64, 96)),), "decode": "dbnet"}
    right = figures(replace(context(copy, copy, feeds, **asked), truth=Truth("boxes", tuple(truth))))
    assert right["mean_average_precision"].value == right["mean_average_precision@source"].value == 1
    assert right["mean_average_precision"].n == 24 and right["verdict of mean_average_precision"] == "pass"
    lost = figures(replace(context(copy, built, feeds, **asked), truth=Truth("boxes", tuple(truth))))
    assert lost["verdict of mean_average_precision"] == "fail" and lost["mean_average_precision"].value < 0.9


@pytest.mark.parametrize("wrong", [{"scale": 1.0}, {"channels": "BGR"}, {"mean": (0.5,) * 3, "std": (0.25,) * 3}])
def test_inputs_that_are_made_in_a_wrong_way_are_told(tmp_path: Path, context: Make, wrong: dict[str, Any]) -> None:
    """Colours from 0 to 1, of which the net counts the share above a half in each channel."""
    form = ImageInput(width=8, height=8, **wrong)
    wanted = tensor("x", (1, 3, 8, 8), form)
    nodes = [
        node("Sub", ["x", "half"], ["s"]),
        node("Clip", ["s", "low", "high"], ["c"]),
        node("GlobalAveragePool", ["c"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("MatMul", ["f", "w"], ["y"]),
    ]
    ends = {"half": np.float32(0.5), "low": np.float32(-0.5), "high": np.float32(0.5)}
    weights = {"w": np.array([[1, -1, 0, 0], [0, 0, 1, -1], [0.1, 0, -0.1, 0]], np.float32), **ends}
    net = save(tmp_path / "net.onnx", nodes, [value("x", [1, 3, 8, 8])], [value("y", [1, 4])], weights)
    random = np.random.default_rng(5)
    colours = [(210, 125, 120), (45, 125, 120), (125, 210, 120), (125, 45, 120)]
    values = [np.clip(colours[at % 4] + random.normal(0, 8, (8, 8, 3)), 1, 255).astype(np.uint8) for at in range(60)]
    pictures = [images.Image.fromarray(array) for array in values]
    truth = Truth("classes", tuple(at % 4 for at in range(60)))

    def judged(own: ImageInput) -> dict[str, Any]:
        inputs = (wanted.model_copy(update={"preprocess": own}),)
        feeds = [{"x": images.prepare(picture, own, inputs[0])} for picture in pictures]
        return figures(replace(context(net, net, feeds, inputs=inputs), truth=truth))

    right = judged(ImageInput(width=8, height=8))
    assert right["accuracy@source"].value > 0.9 and right["verdict of accuracy"] == "pass"
    spoilt = judged(form)
    assert spoilt["verdict of accuracy"] == "invalid" and "cosine_mean" not in spoilt
    assert "made with channels=RGB,scale=1/255,mean=0,std=1" in spoilt["accuracy"].reason
    assert "--input-spec" in advice("accuracy") and "edgekit explain" in advice("accuracy")
