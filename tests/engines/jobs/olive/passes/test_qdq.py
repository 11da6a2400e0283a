"""Turning quantized operators back to float, and the bounded histogram, on what ONNX Runtime's quantizer makes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import HistogramCollector

from edgekit.jobs.olive.passes import _histogram
from edgekit.jobs.olive.passes._qdq import QdqGraph, named
from tests.unit.inputs.nets import save, value

pytestmark = pytest.mark.runtimes

TYPES = ("Conv", "MatMul")
RANDOM = np.random.default_rng(5)


class Feeds(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, feeds: list[dict[str, Any]]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)


def weights(*shape: int) -> Any:
    return RANDOM.normal(0, 0.4, shape).astype(np.float32)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, dict[str, Any]]:
    """(float, quantized, feed) of conv, relu, conv, conv (an output too), If, matmul; two operators have no name."""
    folder = tmp_path_factory.mktemp("qdq")
    branch = [helper.make_node("Relu", ["c3"], ["inner"])]
    other = [helper.make_node("Neg", ["r1"], ["inner2"])]
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], name="first"),
        helper.make_node("Relu", ["c1"], ["r1"], name="relu"),
        helper.make_node("Conv", ["r1", "w2", "b1"], ["c2"]),
        helper.make_node("Add", ["c2", "r1"], ["sum"], name="residual"),
        helper.make_node("Conv", ["sum", "w3"], ["c3"]),
        helper.make_node(
            "If",
            ["yes"],
            ["chosen"],
            name="if",
            then_branch=helper.make_graph(branch, "t", [], [value("inner", [1, 4, "h", "w"])]),
            else_branch=helper.make_graph(other, "e", [], [value("inner2", [1, 4, "h", "w"])]),
        ),
        helper.make_node("ReduceMean", ["chosen"], ["pooled"], axes=[2, 3], keepdims=0, name="pool"),
        helper.make_node("MatMul", ["pooled", "w4"], ["y"], name="last"),
    ]
    constants = {
        "w1": weights(4, 3, 1, 1), "b1": weights(4), "w2": weights(4, 4, 1, 1), "w3": weights(4, 4, 1, 1),
        "w4": weights(4, 5), "yes": np.array(True),
    }  # fmt: skip
    outputs = [value("y", [1, 5]), value("c3", [1, 4, "h", "w"])]
    path = save(folder / "float.onnx", nodes, [value("x", [1, 3, "h", "w"])], outputs, constants)
    feeds = [{"x": RANDOM.normal(0, 1, (1, 3, 6, 7)).astype(np.float32)} for _ in range(8)]
    prepared = named(onnx.load(path), TYPES)
    onnx.save(prepared, folder / "named.onnx")
    quantize_static(
        folder / "named.onnx", folder / "int8.onnx", Feeds(feeds), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, op_types_to_quantize=list(TYPES),
    )  # fmt: skip
    return prepared, onnx.load(folder / "int8.onnx"), feeds[0]


def run(model: Any, feed: dict[str, Any]) -> list[Any]:
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    outputs: list[Any] = onnxruntime.InferenceSession(model.SerializeToString(), options).run(["y", "c3"], feed)
    return outputs


def count(model: Any) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def test_every_operator_has_a_name_of_its_own(files: tuple[Any, Any, dict[str, Any]]) -> None:
    names = [node.name for node in files[0].graph.node if node.op_type in TYPES]
    assert len(set(names)) == 4 and all(names)


def test_all_turned_back_is_the_float_model(files: tuple[Any, Any, dict[str, Any]]) -> None:
    prepared, quantized, feed = files
    graph = QdqGraph(prepared, quantized, TYPES)
    assert len(graph.operators) == 4
    thinned = graph.thinned([])
    assert not {"QuantizeLinear", "DequantizeLinear"} & set(count(thinned))
    for one, other in zip(run(prepared, feed), run(thinned, feed), strict=True):
        assert np.array_equal(one, other)
    assert not {one.name for one in thinned.graph.initializer if "quantized" in one.name}


def test_none_turned_back_is_the_quantized_model_with_its_nodes_in_order(
    files: tuple[Any, Any, dict[str, Any]],
) -> None:
    """The quantizer's own file puts the If before what its subgraph reads: ONNX Runtime refuses it."""
    prepared, quantized, feed = files
    graph = QdqGraph(prepared, quantized, TYPES)
    whole = graph.thinned(graph.operators)
    assert count(whole) == count(quantized)
    assert {one.name for one in whole.graph.initializer} == {one.name for one in quantized.graph.initializer}
    for exact, near in zip(run(prepared, feed), run(whole, feed), strict=True):
        assert 0 < np.abs(exact - near).max() < 0.2


def test_each_alone_adds_noise_and_any_choice_runs(files: tuple[Any, Any, dict[str, Any]]) -> None:
    prepared, quantized, feed = files
    graph = QdqGraph(prepared, quantized, TYPES)
    exact = run(prepared, feed)
    assert len(graph.operators) == 4
    for name in graph.operators:
        alone = graph.thinned([name])
        noise = max(float(np.abs(a - b).max()) for a, b in zip(exact, run(alone, feed), strict=True))
        assert 0 < noise < 0.2
        assert count(alone)["QuantizeLinear"] == 2  # before it and behind it
        rest = [other for other in graph.operators if other != name]
        run(graph.thinned(rest), feed)


def test_the_graph_it_was_made_of_is_not_changed(files: tuple[Any, Any, dict[str, Any]]) -> None:
    prepared, quantized, _ = files
    before = prepared.SerializeToString(), quantized.SerializeToString()
    QdqGraph(prepared, quantized, TYPES).thinned(["first"])
    assert (prepared.SerializeToString(), quantized.SerializeToString()) == before


def test_weights_are_counted(files: tuple[Any, Any, dict[str, Any]]) -> None:
    graph = QdqGraph(files[0], files[1], TYPES)
    assert graph.weights(["first"]) == 4 * 3 + 4  # with its bias
    assert graph.weights(["last"]) == 20


def test_a_subgraph_reads_the_float_tensor_again(files: tuple[Any, Any, dict[str, Any]]) -> None:
    graph = QdqGraph(files[0], files[1], TYPES)
    (node,) = [one for one in graph.thinned(["last"]).graph.node if one.op_type == "If"]
    assert node.attribute[0].g.node[0].input[0] in ("c3", "r1")


def test_loud_after_quiet_takes_no_more_bins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million times louder: the plain collector asks for gigabytes of bins."""
    monkeypatch.setattr(HistogramCollector, "collect_absolute_value", HistogramCollector.collect_absolute_value)
    _histogram.bound()
    collector = HistogramCollector(
        method="percentile", symmetric=True, num_bins=2048, num_quantized_bins=128, percentile=99.9, scenario="same"
    )
    loud = RANDOM.normal(0, 1, 200_000).astype(np.float32)
    for values in (np.zeros(10, np.float32), loud[:1000] * np.float32(1e-6), loud[:100_000], loud[100_000:], loud[:0]):
        collector.collect({"a": [values]})
    (low, high, *_) = collector.compute_collection_result()["a"]
    assert len(collector.histogram_dict["a"][0]) == _histogram.BINS
    assert sum(collector.histogram_dict["a"][0]) == 201_010
    assert float(high) == pytest.approx(float(np.percentile(np.abs(loud), 99.9)), rel=0.02)
    assert float(low) == -float(high)


def test_float16_stays_float16() -> None:
    counts, edges, low, high = _histogram._added(None, np.array([-1, 3], np.float16))
    assert edges.dtype == np.float16 and (low, high) == (-1, 3) and counts.sum() == 2
