"""The gate of tensor models, on small nets whose faults are known.

The child's code runs in this process, but for the tests that ask for `real_child`: a process takes a second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit import quality
from edgekit.errors import BuildError, QualityError
from edgekit.inputs.feeds import Feed
from edgekit.model import StateInput, TextInput
from edgekit.quality import GateContext, _bounded, tensors
from edgekit.results.measurement import Measurement
from edgekit.results.metrics import Limit
from tests.unit.inputs.nets import accumulator, save, tensor, value

pytestmark = pytest.mark.runtimes

RANDOM = np.random.default_rng(7)
WEIGHTS = RANDOM.normal(0, 1, (6, 3, 1, 1)).astype(np.float32)
IMAGE = tensor("x", (1, 3, "h", "w"))


def pictures(count: int = 20) -> list[Feed]:
    return [{"x": RANDOM.normal(0, 1, (1, 3, 9, 10)).astype(np.float32)} for _ in range(count)]


def head(path: Path, weights: Any, *, bias: Any = 0.0, tail: tuple[Any, ...] = (), output: Any = None) -> Path:
    """c = conv(x, weights) + bias of [1, channels, h, w]; then `tail`, whose last output is y."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Add", ["c", "b"], ["d" if tail else "y"])]
    made = output or value("y", [1, len(weights), "h", "w"])
    constants = {"w": weights, "b": np.float32(bias)}
    return save(path, [*nodes, *tail], [value("x", [1, 3, "h", "w"])], [made], constants)


def found(measurements: list[Measurement]) -> dict[str, Measurement]:
    return {one.metric: one for one in measurements}


@pytest.mark.usefixtures("real_child")
def test_equal_models_agree_wholly(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    made = found(
        tensors.measure(context(head(tmp_path / "a.onnx", WEIGHTS), head(tmp_path / "b.onnx", WEIGHTS), pictures()))
    )
    assert {name: one.value for name, one in made.items()} == {
        "nonfinite_outputs": 0,
        "shape_mismatches": 0,
        "cosine_mean": 1,
        "cosine_p05": 1,
        "sqnr_db": 120,
        "cosine_mean@plain": 1,
        "cosine_p05@plain": 1,
        "sqnr_db@plain": 120,
    }
    assert made["cosine_mean"].n == 20 and made["cosine_mean"].evidence == "host"


def test_noise_has_the_ratio_it_was_made_with(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    """Weights a tenth too large: the direction is right, and the noise is a hundredth of the energy."""
    a, b = head(tmp_path / "a.onnx", WEIGHTS), head(tmp_path / "b.onnx", WEIGHTS * np.float32(1.1))
    made = found(tensors.measure(context(a, b, pictures())))
    assert made["sqnr_db@plain"].value == pytest.approx(20, abs=0.01)
    assert made["sqnr_db"].value == pytest.approx(20 + 10 * np.log10(1 - 1 / 20), abs=0.1)  # less the mean of 20
    assert made["cosine_mean"].value == pytest.approx(1, abs=1e-3)


def test_large_coordinates_do_not_hide_that_the_scores_are_zero(
    tmp_path: Path, context: Callable[..., GateContext]
) -> None:
    scale = np.array([300, 200, 300, 200, 0.5, 0.4], np.float32).reshape(6, 1, 1, 1)
    a = head(tmp_path / "a.onnx", WEIGHTS * scale)
    b = head(tmp_path / "b.onnx", WEIGHTS * scale * np.array([1, 1, 1, 1, 0, 0], np.float32).reshape(6, 1, 1, 1))
    made = found(tensors.measure(context(a, b, pictures())))
    assert made["cosine_mean"].value < 0.2
    assert made["cosine_mean"].reason == "the worst of 2: 2 channels of 'y'"
    assert made["cosine_mean@4 channels of 'y'"].value == 1


def test_channels_of_one_level_are_judged_together(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    scale = np.array([1, 2, 4, 8, 16, 32], np.float32).reshape(6, 1, 1, 1)  # far apart, but no gap
    a = head(tmp_path / "a.onnx", WEIGHTS / np.linalg.norm(WEIGHTS, axis=1, keepdims=True) * scale)
    made = found(tensors.measure(context(a, a, pictures())))
    assert not [name for name in made if "channels" in name]


def test_values_that_are_no_numbers(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    root = (helper.make_node("Sqrt", ["d"], ["y"]),)
    a = head(tmp_path / "a.onnx", WEIGHTS, bias=100, tail=root)
    b = head(tmp_path / "b.onnx", WEIGHTS, bias=0, tail=root)
    made = found(tensors.measure(context(a, b, pictures())))
    assert made["nonfinite_outputs"].value > 100
    assert made["cosine_mean"].value is None and "NaN or infinity" in made["cosine_mean"].reason


def unary(path: Path, bias: list[float], *tail: str, dtype: type = np.float32, scale: float = 1.0) -> Path:
    """x [8] -> y [8]: tail of what x * scale + bias is; the bias may hold NaN and infinities."""
    names = ["s", *(f"t{at}" for at in range(len(tail)))]
    nodes = [helper.make_node("Mul", ["x", "k"], ["m"]), helper.make_node("Add", ["m", "b"], ["s"])]
    nodes += [helper.make_node(op, [names[at]], [names[at + 1]]) for at, op in enumerate(tail)]
    nodes.append(helper.make_node("Identity", [names[-1]], ["y"]))
    constants = {"b": np.array(bias, dtype), "k": np.array(scale, dtype)}
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return save(path, nodes, [value("x", [8], kind)], [value("y", [8], kind)], constants)


def rows(dtype: type = np.float32) -> list[Feed]:
    random = np.random.default_rng(11)
    return [{"x": random.normal(0, 1, 8).astype(dtype)} for _ in range(40)]


LOG = [-np.inf, 0, 0, np.nan, 0, 0, np.inf, 0]


@pytest.mark.parametrize(
    ("source", "built", "moved"),
    [
        (LOG, LOG, 0),
        (LOG, [-np.inf, 0, 0, np.nan, 0, 0, -np.inf, 0], 1),  # a sign
        (LOG, [-np.inf, 0, np.nan, 0, 0, 0, np.inf, 0], 2),  # NaN moved
        (LOG, [-3.4e38, 0, 0, np.nan, 0, 0, np.inf, 0], 1),  # infinity that became a number
        (LOG, [0] * 8, 3),
        ([0] * 8, LOG, 3),
    ],
)
def test_infinities_are_compared_by_place_and_sign(
    tmp_path: Path, context: Callable[..., GateContext], source: list[float], built: list[float], moved: int
) -> None:
    a, b = unary(tmp_path / "a.onnx", source), unary(tmp_path / "b.onnx", built)
    made = found(tensors.measure(context(a, b, rows(), inputs=(tensor("x", (8,)),))))
    assert made["nonfinite_outputs"].value == 40 * moved
    assert made["cosine_mean"].value == (None if moved else 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("power", [-300, -160, -44, -30, 0, 30, 160, 300])
def test_the_scale_of_an_output_does_not_matter(
    tmp_path: Path, context: Callable[..., GateContext], dtype: type, power: int
) -> None:
    if dtype is np.float32 and abs(power) > 30:
        return
    a = unary(tmp_path / "a.onnx", LOG, dtype=dtype, scale=10.0**power)
    b = unary(tmp_path / "b.onnx", LOG, dtype=dtype, scale=1.1 * 10.0**power)
    c = unary(tmp_path / "c.onnx", LOG, dtype=dtype, scale=-(10.0**power))
    image = tensor("x", (8,)).model_copy(update={"dtype": np.dtype(dtype).name})
    near, opposite = (found(tensors.measure(context(a, one, rows(dtype), inputs=(image,)))) for one in (b, c))
    assert near["cosine_mean@plain"].value == pytest.approx(1, abs=1e-4)
    assert near["sqnr_db@plain"].value == pytest.approx(20, abs=0.01)
    assert near["sqnr_db"].value == pytest.approx(20, abs=0.2)
    assert opposite["cosine_mean@plain"].value == pytest.approx(-1, abs=0.01)
    assert opposite["sqnr_db@plain"].value == pytest.approx(-6.02, abs=0.01)


def test_an_answer_that_explodes_or_vanishes(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    image = tensor("x", (8,)).model_copy(update={"dtype": "float64"})
    a, b = (unary(tmp_path / f"{at}.onnx", [0] * 8, dtype=np.float64, scale=10.0**at) for at in (0, 300))
    for source, built, sqnr in ((a, b, -120), (b, a, 0)):
        made = found(tensors.measure(context(source, built, rows(np.float64), inputs=(image,))))
        assert made["sqnr_db"].value == pytest.approx(sqnr, abs=0.2) and abs(made["cosine_mean"].value) < 0.1


def test_another_shape(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    a, b = head(tmp_path / "a.onnx", WEIGHTS), head(tmp_path / "b.onnx", WEIGHTS[:4])
    made = found(tensors.measure(context(a, b, pictures(5))))
    assert made["shape_mismatches"].value == 5
    verdict = quality.gate(context(a, b, pictures(5)))
    assert verdict.verdict == "fail"


def test_a_net_that_ignores_its_input_is_not_measured(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    still = head(tmp_path / "a.onnx", WEIGHTS * 0, bias=3)
    same = [{"x": np.zeros((1, 3, 9, 10), np.float32) + at} for at in range(5)]
    found_quality = quality.gate(context(still, still, same))
    assert found_quality.verdict == "not-measured"
    error = quality.explain(found_quality)
    assert error is not None and "do not depend on its inputs" in error.message


@pytest.mark.parametrize("value", [0.0, 0.5], ids=["black", "grey"])
def test_inputs_that_are_all_the_same_are_said_to_be(
    tmp_path: Path, context: Callable[..., GateContext], value: float
) -> None:
    a = head(tmp_path / "a.onnx", WEIGHTS)
    same = [{"x": np.full((1, 3, 9, 10), value, np.float32)} for _ in range(5)]
    judged = quality.gate(context(a, a, same))
    error = quality.explain(judged)
    assert judged.verdict == "not-measured" and error is not None
    assert "all 5 inputs to compare on are the same" in error.message and "different ones" in error.next


def test_no_inputs_no_verdict(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    a = head(tmp_path / "a.onnx", WEIGHTS)
    for feeds in (None, [], pictures(1)):
        assert quality.gate(context(a, a, feeds)).verdict == "not-measured"


def test_silence_is_held_against_the_usual_level(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    """A tenth of the answers are next to nothing; their direction is noise and says nothing."""
    a, b = head(tmp_path / "a.onnx", WEIGHTS), head(tmp_path / "b.onnx", WEIGHTS, bias=1e-3)
    feeds = pictures(18) + [{"x": one["x"] * np.float32(1e-5)} for one in pictures(2)]
    made = found(tensors.measure(context(a, b, feeds)))
    assert made["cosine_p05"].value > 0.999


def test_single_numbers_are_compared_over_many_calls(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    """The direction of one number is always right; of 32 of them it is not."""
    mean = (helper.make_node("ReduceMean", ["d"], ["y"], axes=[1, 2, 3], keepdims=0),)
    output = value("y", [1])
    a = head(tmp_path / "a.onnx", WEIGHTS, tail=mean, output=output)
    b = head(tmp_path / "b.onnx", RANDOM.permuted(WEIGHTS, axis=1), tail=mean, output=output)
    made = found(tensors.measure(context(a, b, pictures(64))))
    assert made["cosine_mean"].n == 2
    assert made["cosine_mean"].value < 0.9


def labels(path: Path, weights: Any, *, integer: bool) -> Path:
    """The mean of each channel as scores [1, channels], or the best channel as an integer [1]."""
    nodes = [helper.make_node("ReduceMean", ["d"], ["m"], axes=[2, 3], keepdims=0)]
    if integer:
        nodes.append(helper.make_node("ArgMax", ["m"], ["y"], axis=1, keepdims=0))
        return head(path, weights, tail=tuple(nodes), output=value("y", [1], TensorProto.INT64))
    nodes.append(helper.make_node("Identity", ["m"], ["y"]))
    return head(path, weights, tail=tuple(nodes), output=value("y", [1, len(weights)]))


def test_integers_are_counted(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    a = labels(tmp_path / "a.onnx", WEIGHTS, integer=True)
    b = labels(tmp_path / "b.onnx", WEIGHTS[[1, 0, 2, 3, 4, 5]], integer=True)
    feeds = pictures(40)
    made = found(tensors.measure(context(a, b, feeds)))
    assert 0.3 < made["integer_agreement"].value < 1
    assert "cosine_mean" not in made


def test_a_classifier_is_judged_by_top1_where_there_are_enough_inputs(
    tmp_path: Path, context: Callable[..., GateContext]
) -> None:
    a = labels(tmp_path / "a.onnx", WEIGHTS, integer=False)
    b = labels(tmp_path / "b.onnx", WEIGHTS * np.float32(2), integer=False)
    enough = found(tensors.measure(context(a, b, pictures(120), decode="classes")))
    assert enough["top1_agreement"].value == 1 and enough["top1_agreement"].n == 100  # `fast` takes no more
    few = found(tensors.measure(context(a, b, pictures(40), decode="classes")))
    assert "top1_agreement" not in few
    assert few["top1_agreement@40"].value == 1 and "100 inputs are needed" in few["top1_agreement@40"].reason


def test_characters_are_compared_as_they_are_read(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    """y[time, label]: the source writes one label a step; the built one reads label 2 as 3."""
    pick = (
        helper.make_node("Squeeze", ["d", "axis"], ["s"]),
        helper.make_node("Transpose", ["s"], ["y"], perm=[0, 2, 1]),
    )
    weights = np.zeros((4, 4, 1, 1), np.float32)
    weights[range(4), range(4)] = 5
    swapped = weights[[0, 1, 3, 2]]

    def reader(path: Path, rows: Any) -> Path:
        nodes = [helper.make_node("Conv", ["x", "w"], ["d"]), *pick]
        constants = {"w": rows, "axis": np.array([2])}
        return save(path, nodes, [value("x", [1, 4, 1, "t"])], [value("y", [1, "t", 4])], constants)

    texts = [[1, 1, 0, 2], [1, 0, 1, 3], [3, 0, 1, 0]]  # read as 1 2, 1 1 3, 3 1
    feeds = [{"x": np.eye(4, dtype=np.float32)[text].T[None, :, None, :]} for text in texts]
    a, b = reader(tmp_path / "a.onnx", weights), reader(tmp_path / "b.onnx", swapped)
    inputs = (tensor("x", (1, 4, 1, "t")),)
    made = found(tensors.measure(context(a, b, feeds, inputs=inputs, decode="ctc")))
    assert made["character_agreement"].value == pytest.approx(4 / 7, abs=1e-4)  # three of seven characters differ
    assert made["character_agreement"].reason == "7 characters"


def test_embeddings_are_compared_under_the_mask(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    """The built model is wrong on masked tokens only: its embeddings are the source's."""

    def encoder(path: Path, hidden: float) -> Path:
        nodes = [
            helper.make_node("Cast", ["mask"], ["m"], to=TensorProto.FLOAT),
            helper.make_node("Sub", ["one", "m"], ["off"]),
            helper.make_node("Mul", ["off", "hidden"], ["added"]),
            helper.make_node("Unsqueeze", ["added", "last"], ["wide"]),
            helper.make_node("Add", ["x", "wide"], ["y"]),
        ]
        inputs = [value("x", [1, "t", 8]), value("mask", [1, "t"], TensorProto.INT64)]
        constants = {"one": np.float32(1), "hidden": np.float32(hidden), "last": np.array([2])}
        return save(path, nodes, inputs, [value("y", [1, "t", 8])], constants)

    mask = np.array([[1, 1, 1, 0, 0]], np.int64)
    feeds = [{"x": RANDOM.normal(0, 1, (1, 5, 8)).astype(np.float32), "mask": mask} for _ in range(12)]
    inputs = (tensor("x", (1, None, 8)), tensor("mask", (1, None), TextInput(feature="mask"), "int64"))
    a, b = encoder(tmp_path / "a.onnx", 0), encoder(tmp_path / "b.onnx", 9)
    made = found(tensors.measure(context(a, b, feeds, inputs=inputs, decode="mean-pool")))
    assert made["embedding_cosine"].value == 1 and made["embedding_spearman"].value == 1
    assert made["cosine_mean"].value < 0.9


def test_each_model_carries_its_own_state(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    """The feeds hold the source's states; a built model that gets them would hide how its own drifts away."""
    a, b = accumulator(tmp_path / "a.onnx"), accumulator(tmp_path / "b.onnx")
    leaky = helper.make_node("Mul", ["sum", "gain"], ["kept"])
    graph = onnx.load(b)
    graph.graph.node[2].input[0] = "kept"
    graph.graph.node.insert(2, leaky)
    onnx.save(graph, b)
    gain = np.float32(0.8)
    total, feeds = np.zeros((1, 1), np.float32), []
    for _ in range(64):
        feeds.append({"x": np.ones((1, 4), np.float32), "sum": total.copy(), "gain": gain})
        total += gain
    inputs = (tensor("x", (1, "n")), tensor("sum", (1, 1), StateInput(output="next", shape=(1, 1))), tensor("gain", ()))
    made = found(tensors.measure(context(a, b, feeds, inputs=inputs)))
    source = 0.8 * np.arange(1, 65)
    own = np.cumsum(0.8 ** np.arange(64)) * 0.8  # kept' = (kept + 1) * 0.8, the leak on its own values
    expected = 10 * np.log10((source**2).sum() / ((source - own) ** 2).sum())
    assert made["sqnr_db@plain"].value == pytest.approx(expected, abs=0.3)
    assert made["cosine_mean"].reason == ""  # the state itself is reported, and judged by nothing
    assert "cosine_mean@'next'" in made


@pytest.mark.usefixtures("real_child")
def test_a_built_model_that_cannot_be_loaded(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    broken = tmp_path / "b.onnx"
    broken.write_bytes(b"no graph")
    with pytest.raises(BuildError, match="the built model cannot be loaded"):
        tensors.measure(context(head(tmp_path / "a.onnx", WEIGHTS), broken, pictures(3)))


@pytest.mark.usefixtures("real_child")
def test_a_verdict_names_metric_value_limit_and_what_to_try(
    tmp_path: Path, context: Callable[..., GateContext]
) -> None:
    a, b = head(tmp_path / "a.onnx", WEIGHTS), head(tmp_path / "b.onnx", RANDOM.permuted(WEIGHTS, axis=1))
    judged = quality.gate(context(a, b, pictures()))
    error = quality.explain(judged)
    assert judged.verdict == "fail" and isinstance(error, QualityError)
    assert "cosine_mean" in error.message and "at least 0.97 asked" in error.message
    assert "--calibration" in error.next and "--limit" in error.next
    assert quality.gate(context(a, a, pictures(), precision="float32")).verdict == "pass"


def by_metric(measurements: list[Measurement]) -> dict[str, Measurement]:
    return {entry.metric: entry for entry in measurements}


def test_a_model_that_is_kept_is_compared_by_its_bytes(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    """What is the same is run by nobody, unless somebody limits what a run would measure; what differs is run."""
    source, kept = (head(tmp_path / name, WEIGHTS) for name in ("a.onnx", "b.onnx"))
    proto = onnx.load(kept)
    proto.graph.node[0].doc_string = "File net.py, line 3"
    onnx.save(proto, kept)
    asked = context(source, kept, None, precision="as-is")
    judged = quality.gate(asked)
    assert judged.verdict == "pass" and [entry.metric for entry in judged.measurements] == ["differing_files"]
    assert "nothing was run" in judged.measurements[0].reason
    limited = replace(asked, feeds=pictures(), overrides={"cosine_mean": Limit(min=0.5)})
    assert by_metric(tensors.measure(limited))["cosine_mean"].value == 1
    other = context(source, head(tmp_path / "c.onnx", WEIGHTS * np.float32(1.1)), pictures(), precision="as-is")
    assert "differing_files" not in by_metric(tensors.measure(other))


def test_a_simulator_has_so_much_time(
    tmp_path: Path, context: Callable[..., GateContext], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(_bounded, "seconds", lambda ctx: 1e-9)
    pair = head(tmp_path / "a.onnx", WEIGHTS), head(tmp_path / "b.onnx", WEIGHTS)
    first, *others = tensors.measure(context(*pair, pictures()))
    assert first.n == 16 and first.reason.startswith("16 of 20 inputs: the simulator had")
    assert by_metric(others)["cosine_mean"].n == 16 and "16 of 20 inputs" in capsys.readouterr().err


def test_a_voice_is_judged_by_what_is_decided(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    """Probabilities that move and stay on their side are right; a constant is not; without speech the values judge."""
    feeds = [{"x": np.full((1, 3, 1, 1), at, np.float32)} for at in np.linspace(-3, 3, 80)]
    weights = np.full((1, 3, 1, 1), 1 / 3, np.float32)
    sigmoid = (helper.make_node("Sigmoid", ["d"], ["y"]),)

    def judged(name: str, gain: float, bias: float, data: list[Feed]) -> dict[str, Measurement]:
        built = head(tmp_path / name, weights * np.float32(gain), bias=bias, tail=sigmoid)
        return by_metric(tensors.measure(context(source, built, data, decode="voice-activity")))

    source = head(tmp_path / "a.onnx", weights, tail=sigmoid)
    flat = judged("flat.onnx", 0.2, 0.0, feeds)
    assert flat["decision_agreement"].value == 1 and "cosine_mean" not in flat and "cosine_mean@plain" in flat
    assert judged("mute.onnx", 0.0, -2.0, feeds)["decision_agreement"].value == pytest.approx(0.5)
    assert judged("late.onnx", 1.0, -1.0, feeds)["decision_agreement"].value == pytest.approx(
        (11 / 24 + 1) / 2, abs=1e-4
    )
    silent = judged("silent.onnx", 0.2, 0.0, feeds[:50])
    assert "decision_agreement" not in silent and "cosine_mean" in silent


def test_sound_is_judged_by_its_spectrum(tmp_path: Path, context: Callable[..., GateContext]) -> None:
    """A delay spoils every cosine and is not heard; another tone, noise and half of the calls silent are."""
    times = np.arange(4096) / 16000
    tones = [np.sin(2 * np.pi * hertz * times) * (hertz / 500) for hertz in range(200, 1000, 40)]
    feeds = [{"x": np.float32(tone).reshape(1, 1, -1)} for tone in tones]
    inputs = (tensor("x", (1, 1, "n")),)

    def played(name: str, *taps: float) -> dict[str, Measurement]:
        pads = [0, 0, len(taps) - 1, 0, 0, 0]
        nodes = [helper.make_node("Pad", ["x", "p"], ["q"]), helper.make_node("Conv", ["q", "w"], ["y"])]
        ends = [value("x", [1, 1, "n"])], [value("y", [1, 1, "m"])]
        kernel = {"p": np.int64(pads), "w": np.float32(taps).reshape(1, 1, -1)}
        built = save(tmp_path / name, nodes, *ends, kernel)
        return by_metric(tensors.measure(context(source, built, feeds, inputs=inputs, decode="sound")))

    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    source = save(tmp_path / "a.onnx", nodes, [value("x", [1, 1, "n"])], [value("y", [1, 1, "m"])], {})
    late = played("late.onnx", *([1.0] + [0.0] * 9))
    assert late["spectral_distance_db"].value is not None and late["spectral_distance_db"].value < 1
    assert "cosine_mean" not in late and "phase" in late["spectral_distance_db"].reason
    assert 4 < (played("louder.onnx", 2.0)["spectral_distance_db"].value or 0) < 6.1  # 6 dB, of what is not faint
    assert (played("dull.onnx", 0.5, 0.0, 0.0, 0.0, -0.5)["spectral_distance_db"].value or 0) > 3
