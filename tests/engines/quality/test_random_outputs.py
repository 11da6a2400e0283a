"""Models that draw random numbers: both draw the same in the gate, or are compared by their distribution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from edgekit import quality
from edgekit.errors import BuildError
from edgekit.inputs.feeds import Feed
from edgekit.quality import GateContext, _child_tensor, _spectra, _survey, tensors
from edgekit.results.measurement import Measurement
from tests import needs
from tests.unit.inputs.nets import save, tensor, value

pytestmark = pytest.mark.runtimes
RANDOM = np.random.default_rng(9)
WEIGHTS = RANDOM.normal(0, 0.3, (16, 1024)).astype(np.float32)
node = helper.make_node
NORMAL = [node("RandomNormalLike", ["x"], ["n"]), node("Add", ["x", "n"], ["h"])]
OTHER = [node("RandomNormal", [], ["n"], shape=[1, 16]), node("Add", ["x", "n"], ["h"])]  # no seed makes it NORMAL's
NOISE: dict[str, list[Any]] = {
    "a normal of the input's shape": NORMAL,
    "a uniform of a fixed shape": [
        node("RandomUniform", [], ["n"], shape=[1, 16], low=-1.0, high=1.0), node("Add", ["x", "n"], ["h"])],
    "a coin": [node("Sigmoid", ["x"], ["p"]), node("Bernoulli", ["p"], ["h"])],
    "dropout that trains": [node("Dropout", ["x", "half", "yes"], ["h"])],
    "noise in a branch": [node("If", ["yes"], ["h"], then_branch=helper.make_graph(
        [node("RandomNormalLike", ["x"], ["n"]), node("Add", ["x", "n"], ["a"])], "t", [], [value("a", [1, 16])]),
        else_branch=helper.make_graph([node("Identity", ["x"], ["b"])], "e", [], [value("b", [1, 16])]))],
}  # fmt: skip
CONSTANTS = {"half": np.float32(0.5), "yes": np.array(True)}
INPUTS = (tensor("x", (1, 16)),)


def voice(path: Path, noise: list[Any], weights: Any = WEIGHTS) -> Path:
    """y = tanh(h @ w), h of x and the noise."""
    nodes = [*noise, node("MatMul", ["h", "w"], ["o"]), node("Tanh", ["o"], ["y"])]
    read = {name for operator in noise for name in operator.input}
    constants = {name: array for name, array in CONSTANTS.items() if name in read}
    out = value("y", [1, weights.shape[1]])
    return save(path, nodes, [value("x", [1, 16])], [out], {"w": weights, **constants})


def rough(weights: Any) -> Any:
    """As int8 has them, one scale for all."""
    scale = np.abs(weights).max() / 127
    return (np.round(weights / scale) * scale).astype(np.float32)


def feeds(count: int = 24) -> list[Feed]:
    return [{"x": RANDOM.normal(0, 1, (1, 16)).astype(np.float32)} for _ in range(count)]


def by_name(measurements: tuple[Measurement, ...]) -> dict[str, Measurement]:
    return {figure.metric: figure for figure in measurements}


@pytest.mark.parametrize("kind", NOISE)
def test_the_noise_is_the_same_for_both_and_int8_is_not_refused_for_it(
    tmp_path: Path, context: Callable[..., GateContext], kind: str
) -> None:
    source, built = voice(tmp_path / "a.onnx", NOISE[kind]), voice(tmp_path / "b.onnx", NOISE[kind], rough(WEIGHTS))
    judged = quality.gate(context(source, built, feeds(), inputs=INPUTS))
    assert judged.verdict == "pass", judged.verdicts
    assert 20 < (by_name(judged.measurements)["sqnr_db"].value or 0) < 80  # its own error, neither none nor the noise


@pytest.mark.parametrize("kind", ["a normal of the input's shape", "dropout that trains"])
def test_a_source_whose_answers_are_too_many_to_keep_draws_the_same_again(
    tmp_path: Path, context: Callable[..., GateContext], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is run twice, for its mean and beside the built model; its generators went on in between."""
    monkeypatch.setattr(_survey, "ROOM", 0)
    source, built = voice(tmp_path / "a.onnx", NOISE[kind]), voice(tmp_path / "b.onnx", NOISE[kind], rough(WEIGHTS))
    made = by_name(tuple(tensors.measure(context(source, built, feeds(), inputs=INPUTS))))
    assert 20 < (made["sqnr_db"].value or 0) < 80


@pytest.mark.usefixtures("real_child")
def test_an_npu_has_a_generator_of_its_own(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    """The simulator of QNN takes the operator and leaves its seed: what it draws is compared by its spectrum."""
    needs.module("onnxruntime_qnn")
    smooth = np.stack([np.convolve(row, np.ones(24) / 24, "same") for row in WEIGHTS]).astype(np.float32)
    source = voice(tmp_path / "a.onnx", NORMAL, smooth)
    for weights, near in ((smooth, True), (WEIGHTS, False)):
        built = voice(tmp_path / "b.onnx", NORMAL, weights)
        asked = context(source, built, feeds(), inputs=INPUTS, precision="w8a16")
        made = by_name(tuple(tensors.measure(replace(asked, ep="qnn", ep_options={"soc_model": "57"}))))
        assert "cosine_mean" not in made and "do not draw alike" in made["spectral_distance_db"].reason
        assert ((made["spectral_distance_db"].value or 0) < 2) == near


@pytest.mark.usefixtures("real_child")
def test_an_npu_draws_anew_for_a_distribution(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    """All calls of a session of QNN's simulator have the same noise: 24 of them would be a sample of one."""
    needs.module("onnxruntime_qnn")
    net, soc, still = voice(tmp_path / "a.onnx", NORMAL, WEIGHTS[:, :256]), {"soc_model": "57"}, feeds(1)[0]
    runner = _child_tensor.Runner(net, {}, BuildError, "it", ep="qnn", ep_options=soc)
    first, again = (runner.run(still)["y"] for _ in range(2))
    runner.redraw()
    assert np.array_equal(first, again) and not np.allclose(first, runner.run(still)["y"], atol=0.1)
    asked = context(net, voice(tmp_path / "b.onnx", NORMAL, WEIGHTS[:, :256]), feeds(48), inputs=INPUTS)
    made = by_name(tuple(tensors.measure(replace(asked, ep="qnn", ep_options=soc))))
    assert (made["distribution_distance"].value or 1) < 0.1


def test_wrong_weights_under_the_noise_are_seen(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    source = voice(tmp_path / "a.onnx", NORMAL)
    built = voice(tmp_path / "b.onnx", NORMAL, RANDOM.permuted(WEIGHTS, axis=1))
    assert quality.gate(context(source, built, feeds(), inputs=INPUTS)).verdict == "fail"


def test_sound_that_is_not_drawn_alike_is_compared_by_its_spectrum(
    tmp_path: Path, context: Callable[..., GateContext]
) -> None:
    smooth = np.stack([np.convolve(row, np.ones(24) / 24, "same") for row in WEIGHTS]).astype(np.float32)
    source = voice(tmp_path / "a.onnx", NORMAL, smooth)
    sound = voice(tmp_path / "b.onnx", OTHER, smooth)
    hissing = voice(tmp_path / "c.onnx", OTHER, WEIGHTS)
    verdicts = [quality.gate(context(source, built, feeds(), inputs=INPUTS)) for built in (sound, hissing)]
    near, far = (by_name(judged.measurements)["spectral_distance_db"] for judged in verdicts)
    assert near.value is not None and far.value is not None and near.value < 2.4 < 6 < far.value
    assert [judged.verdict for judged in verdicts] == ["pass", "fail"]
    assert "'y' holds random numbers" in near.reason
    assert "cosine_mean" not in by_name(verdicts[0].measurements)


def test_other_values_are_compared_by_their_distribution(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    weights, many = WEIGHTS[:, :8], feeds(200)
    source = voice(tmp_path / "a.onnx", NORMAL, weights)
    sound = voice(tmp_path / "b.onnx", OTHER, weights)
    louder = voice(tmp_path / "c.onnx", OTHER, weights * np.float32(2))
    verdicts = [quality.gate(context(source, built, many, inputs=INPUTS)) for built in (sound, louder)]
    assert [judged.verdict for judged in verdicts] == ["pass", "fail"], [judged.measurements for judged in verdicts]


def test_the_distances_are_what_they_are_called() -> None:
    power = np.array([1.0, 4.0, 9.0])
    assert _spectra.log_spectral_distance(power, power) == 0
    assert _spectra.log_spectral_distance(power, power * 10) == pytest.approx(10, abs=1e-3)
    values = RANDOM.normal(0, 2, 50_000)
    assert _spectra.quantile_distance(values, values) == 0
    assert _spectra.quantile_distance(values, values + 1) == pytest.approx(0.5, abs=0.01)
