"""What a graph consists of, and which files it names."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import BundleError
from edgekit.sources.facts.content import Graph, GraphFacts, total
from edgekit.wrappers.python.references import Reference, references
from tests.unit.bundle.tiny_bundle import SIZE, origin

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def made_of(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The model that tiny bundles are made of."""
    return origin(tmp_path_factory.mktemp("origin"))


def graph_of(nodes: list[Any], tensors: list[Any]) -> Graph:
    graph = helper.make_graph(nodes, "g", [], [], tensors)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    return Graph(io.BytesIO(helper.make_model(graph, opset_imports=opsets).SerializeToString()), "g.onnx")


def sizes(facts: GraphFacts) -> dict[str, tuple[int, int, int]]:
    return {name: (some.tensors, some.parameters, some.bytes) for name, some in facts.weights.items()}


def test_int4_weights_are_named_by_what_they_mean_not_by_their_bytes() -> None:
    packed = numpy_helper.from_array(np.zeros((64, 4, 16), np.uint8), "w")  # 64 rows of 4 blocks of 32 int4
    tensors = [
        packed,
        numpy_helper.from_array(np.zeros(64 * 4, np.float32), "scales"),
        numpy_helper.from_array(np.zeros(64 * 2, np.uint8), "zeros"),
        numpy_helper.from_array(np.zeros((10, 16), np.uint8), "table"),
        numpy_helper.from_array(np.zeros((10, 1), np.float16), "table_scales"),
        numpy_helper.from_array(np.zeros(64, np.float32), "norm"),
    ]
    nodes = [
        helper.make_node(
            "MatMulNBits", ["x", "w", "scales", "zeros"], ["y"], domain="com.microsoft", bits=4, block_size=32
        ),
        helper.make_node(
            "GatherBlockQuantized",
            ["table", "i", "table_scales"],
            ["e"],
            domain="com.microsoft",
            bits=8,
            block_size=16,
        ),
        helper.make_node("Mul", ["y", "norm"], ["z"]),
    ]
    facts = graph_of(nodes, tensors).facts()
    assert facts.ops == {"Mul": 1, "com.microsoft:GatherBlockQuantized": 1, "com.microsoft:MatMulNBits": 1}
    assert facts.opset == {"ai.onnx": 21, "com.microsoft": 1}
    assert sizes(facts) == {
        "int4 block-32": (1, 64 * 128, 64 * 64),
        "scales": (2, 256 + 10, 1024 + 20),
        "float32": (1, 64, 256),
        "int8 block-16": (1, 160, 160),
        "zero points": (1, 128, 128),
    }


def test_quantized_weights_are_the_values_and_not_their_scales() -> None:
    tensors = [
        numpy_helper.from_array(np.zeros((8, 8), np.int8), "w"),
        numpy_helper.from_array(np.zeros(8, np.float32), "s"),
        numpy_helper.from_array(np.zeros(8, np.int8), "z"),
    ]
    facts = graph_of([helper.make_node("DequantizeLinear", ["w", "s", "z"], ["y"])], tensors).facts()
    assert sizes(facts) == {"int8": (1, 64, 64), "scales": (1, 8, 32), "zero points": (1, 8, 8)}


@pytest.mark.parametrize("dtype", sorted(set(TensorProto.DataType.values()) - {TensorProto.UNDEFINED}))
def test_every_type_of_onnx_has_a_name_and_a_size(dtype: int) -> None:
    tensor = TensorProto(name="w", data_type=dtype, dims=[3, 5])
    facts = graph_of([], [tensor]).facts()
    (name,) = facts.weights
    assert name not in ("unknown", "undefined", "float", "double")
    assert facts.weights[name].parameters == 15
    assert (facts.weights[name].bytes > 0) == (dtype != TensorProto.STRING)


def test_subgraphs_functions_and_constants_count() -> None:
    inner = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "then",
        [],
        [],
        [numpy_helper.from_array(np.zeros(2, np.float32), "a")],
    )
    deep = helper.make_graph([helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)], "d", [], [])
    constant = helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(np.zeros(4, np.float64), ""))
    model = helper.make_model(
        helper.make_graph([constant, helper.make_node("Loop", [], ["o"], body=deep)], "g", [], [])
    )
    model.functions.append(helper.make_function("f", "F", [], [], [helper.make_node("Abs", ["x"], ["y"])], []))
    facts = Graph(io.BytesIO(model.SerializeToString()), "g").facts()
    assert facts.ops == {"Abs": 1, "Constant": 1, "If": 1, "Loop": 1, "Relu": 2}
    assert sizes(facts) == {"float64": (1, 4, 32), "float32": (2, 4, 16)}


def test_external_data_is_described_without_being_there(made_of: tuple[Path, Path], tmp_path: Path) -> None:
    raw = (made_of[0] / "model.onnx").read_bytes()
    graph = Graph(io.BytesIO(raw), "m.onnx")
    assert sizes(graph.facts()) == {"float32": (1, SIZE * SIZE, SIZE * SIZE * 4)}
    assert references(memoryview(raw))[0] == {Reference("model.onnx.data", SIZE * SIZE * 4)}


def test_a_compiled_context_beside_the_graph_is_a_reference() -> None:
    def context(**values: Any) -> Any:
        return helper.make_node("EPContext", ["x"], ["y"], domain="com.microsoft", **values)

    nodes = [
        context(embed_mode=0, ep_cache_context="../ctx.bin", main_context=1),
        context(embed_mode=0, main_context=0),
        context(embed_mode=1, ep_cache_context=b"\xffbinary"),
    ]
    model = graph_of(nodes, []).model
    found, _ = references(memoryview(model.SerializeToString()))
    assert [one.location for one in found] == ["../ctx.bin"]


@pytest.mark.parametrize("offset", ["-5", "x", "9" * 50, "\u0663"])
def test_a_lying_offset_wants_more_than_any_file_has(offset: str) -> None:
    tensor = TensorProto(name="w", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="w.bin")
    tensor.external_data.add(key="offset", value=offset)
    found, _ = references(memoryview(graph_of([], [tensor]).model.SerializeToString()))
    assert found.pop().needs > 2**60


def test_several_graphs_of_a_model_add_up(made_of: tuple[Path, Path]) -> None:
    facts = Graph(io.BytesIO((made_of[0] / "model.onnx").read_bytes()), "m").facts()
    both = total([facts, facts])
    assert both.ops == {"MatMul": 2}
    assert sizes(both) == {"float32": (2, 2 * SIZE * SIZE, 8 * SIZE * SIZE)}


@pytest.mark.parametrize("name", [b"MatMulNBits", b"com.microsoft"], ids=["operator", "domain"])
def test_a_name_that_is_no_text_is_refused(name: bytes) -> None:
    node = helper.make_node("MatMulNBits", ["x", "w"], ["y"], domain="com.microsoft", bits=4, block_size=32)
    opsets = [helper.make_opsetid("com.microsoft", 1)]
    raw = helper.make_model(helper.make_graph([node], "g", [], []), opset_imports=opsets).SerializeToString()
    graph = Graph(io.BytesIO(raw.replace(name, b"\x80" + name[1:])), "g.onnx")
    with pytest.raises(BundleError, match="not an ONNX model: a name in it is not UTF-8"):
        graph.facts()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(where=st.integers(min_value=0), length=st.integers(0, 5), put=st.binary(max_size=10))
def test_fuzz_a_damaged_graph_is_read_or_refused(where: int, length: int, put: bytes) -> None:
    tensor = numpy_helper.from_array(np.zeros(3, np.float32), "w")
    tensor.external_data.add(key="location", value="w.bin")
    node = helper.make_node("MatMulNBits", ["x", "w"], ["y"], domain="com.microsoft", bits=4, block_size=32)
    raw = helper.make_model(helper.make_graph([node], "g", [], [], [tensor])).SerializeToString()
    at = where % len(raw)
    damaged = raw[:at] + put + raw[at + length :]
    try:
        Graph(io.BytesIO(damaged), "g.onnx").facts()
    except BundleError as error:
        assert "not an ONNX model" in error.message
    try:
        references(memoryview(damaged))
    except ValueError as refusal:
        assert str(refusal).startswith(("it ", "a part", "a number", "its "))


def test_onnx_reads_what_the_test_wrote(made_of: tuple[Path, Path]) -> None:
    onnx.checker.check_model(str(made_of[0] / "model.onnx"))
