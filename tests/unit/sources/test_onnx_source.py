"""A local .onnx file: its facts, and every way in which it can be missing, cut off or pointing elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from edgekit import recipes
from edgekit.errors import SourceError
from edgekit.sources import open_source
from edgekit.sources.facts.onnx_graph import external_files, metadata, read_model
from tests.unit.sources.tiny_models import edit_onnx, point_outside, save_onnx

pytestmark = pytest.mark.unit


def test_facts(tmp_path: Path) -> None:
    path = save_onnx(tmp_path / "Tiny Net.onnx", name="input:0")
    source = open_source(str(path))
    model = source.model
    assert (source.form, source.path, source.ref) == ("onnx", path, "Tiny Net.onnx")
    assert (model.name, model.kind, model.opset, model.dtype) == ("tiny-net", "tensor", 17, "float32")
    assert model.parameters == 15 and model.source_bytes == path.stat().st_size and not model.quantized
    assert model.weight_bytes_by_op == {"Add": 12, "MatMul": 48}
    assert [(one.name, one.dtype, one.shape) for one in model.inputs] == [("input:0", "float32", ("batch", 4))]
    assert [(one.name, one.shape) for one in model.outputs] == [("y", ("batch", 3))]
    assert model.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("attributes", "operator"),
    [
        ({}, "Gemm"),
        ({"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0}, "Gemm"),
        ({"alpha": -2.0, "transB": 0}, "scaled Gemm"),
        ({"beta": 0.5}, "scaled Gemm"),
    ],
)
def test_a_product_that_quantizers_leave_is_told_apart(
    tmp_path: Path, attributes: dict[str, float], operator: str
) -> None:
    """K-means of scikit-learn is a Gemm with alpha -2, in which dynamic int8 finds nothing to quantize."""

    def gemm(model: Any) -> None:
        del model.graph.node[:]
        model.graph.node.extend([helper.make_node("Gemm", ["x", "w", "b"], ["y"], **attributes)])

    model = open_source(str(edit_onnx(save_onnx(tmp_path / "net.onnx"), gemm))).model
    assert model.weight_bytes_by_op == {operator: 60}
    assert recipes.load("int8_dynamic").suits(model)[0] == (operator == "Gemm")


@pytest.mark.parametrize("name", ["-model.onnx", "mödel 模型.onnx", "a b/c d.onnx", "MODEL.ONNX"])
def test_odd_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    save_onnx(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    source = open_source(name)
    assert source.path.is_absolute() and source.model.name[0] not in "-. "


def test_a_folder_with_one_graph(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    save_onnx(tmp_path / "net" / "model.onnx")
    assert open_source(str(tmp_path / "net")).model.name == "net"
    save_onnx(tmp_path / "net" / "other.onnx")
    with pytest.raises(SourceError, match="holds 2 ONNX models") as error:
        open_source(str(tmp_path / "net"))
    assert "model.onnx, other.onnx" in error.value.next


def test_unknown_sizes_have_no_number(tmp_path: Path) -> None:
    def change(proto: Any) -> None:
        dims = proto.graph.input[0].type.tensor_type.shape.dim
        dims[0].dim_param = "?"

    path = edit_onnx(save_onnx(tmp_path / "m.onnx"), change)
    assert open_source(str(path)).model.inputs[0].shape == (None, 4)


def test_quantized_is_seen_inside_subgraphs(tmp_path: Path) -> None:
    path = save_onnx(tmp_path / "m.onnx")
    assert not open_source(str(path)).model.quantized
    value = helper.make_tensor_value_info("z", TensorProto.FLOAT, None)
    then = helper.make_graph(
        [
            helper.make_node("Constant", [], ["q"], value=helper.make_tensor("q", TensorProto.INT8, [], [1])),
            helper.make_node("Constant", [], ["s"], value_float=1.0),
            helper.make_node("DequantizeLinear", ["q", "s"], ["z"]),
        ],
        "then",
        [],
        [value],
    )
    other = helper.make_graph([helper.make_node("Constant", [], ["z"], value_float=1.0)], "else", [], [value])

    def change(proto: Any) -> None:
        constant = helper.make_tensor("c", TensorProto.BOOL, [], [True])
        proto.graph.node.append(helper.make_node("Constant", [], ["c"], value=constant))
        proto.graph.node.append(helper.make_node("If", ["c"], ["r"], then_branch=then, else_branch=other))

    model = open_source(str(edit_onnx(path, change))).model
    assert model.quantized and model.parameters == 15 + 2


def test_external_data(tmp_path: Path) -> None:
    path = save_onnx(tmp_path / "m.onnx", external="m.data")
    model = open_source(str(path)).model
    assert model.source_bytes == path.stat().st_size + 48 and model.parameters == 15
    before = model.sha256
    (tmp_path / "m.data").write_bytes(bytes(48))
    assert open_source(str(path)).model.sha256 != before


def test_external_data_missing_or_short(tmp_path: Path) -> None:
    path = save_onnx(tmp_path / "m.onnx", external="m.data")
    (tmp_path / "m.data").write_bytes(bytes(47))
    _refused(path, r"external data 'm.data' is short: 47 of 48 bytes")
    (tmp_path / "m.data").unlink()
    _refused(path, r"external data 'm.data' is missing")


@pytest.mark.parametrize(
    "location", ["../out.data", "/etc/hostname", "a/../../out.data", "C:\\x", "..\\out.data", "", "."]
)
def test_external_data_outside(tmp_path: Path, location: str) -> None:
    (tmp_path / "out.data").write_bytes(bytes(48))
    (tmp_path / "in" / "a").mkdir(parents=True)
    path = save_onnx(tmp_path / "in" / "m.onnx")
    edit_onnx(path, lambda proto: point_outside(proto.graph.initializer[0], location, 0, 48))
    _refused(path, "lies outside the model's folder")


def test_external_data_named_as_on_windows(tmp_path: Path) -> None:
    path = save_onnx(tmp_path / "m.onnx")
    edit_onnx(path, lambda proto: point_outside(proto.graph.initializer[0], "data\\m.data", 0, 48))
    _refused(path, "is named with a backslash, which only Windows takes")


def test_external_data_outside_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "out.data").write_bytes(bytes(48))
    (tmp_path / "in").mkdir()
    path = save_onnx(tmp_path / "in" / "m.onnx", external="m.data")
    (tmp_path / "in" / "m.data").unlink()
    (tmp_path / "in" / "m.data").symlink_to(tmp_path / "out.data")
    _refused(path, "lies outside the model's folder")


@pytest.mark.parametrize(
    ("offset", "length", "message"),
    [
        (-1, 48, "not the data"),
        (0, 47, "not the data"),
        (0, 10**30, "not the data"),
        (8, 48, "is short"),
        ("x", 48, "no number"),
    ],
)
def test_external_data_lies(tmp_path: Path, offset: Any, length: int, message: str) -> None:
    path = save_onnx(tmp_path / "m.onnx", external="m.data")

    def change(proto: Any) -> None:
        tensor = proto.graph.initializer[0]
        tensor.ClearField("external_data")
        point_outside(tensor, "m.data", offset, length)

    _refused(edit_onnx(path, change), message)


@pytest.mark.parametrize("keep", [1, 50, -1])
def test_cut_off(tmp_path: Path, keep: int) -> None:
    path = save_onnx(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes()[:keep])
    _refused(path, "cut off|not valid ONNX")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b"hello, this is text", "not an ONNX model"), (b"\x08\x07", "holds no graph")],
)
def test_not_onnx(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    _refused(path, message)


def test_the_checker_is_asked(tmp_path: Path) -> None:
    def change(proto: Any) -> None:
        proto.graph.node[0].op_type = "NoSuchOperator"

    _refused(
        edit_onnx(save_onnx(tmp_path / "m.onnx"), change),
        "is not valid ONNX: No Op registered for NoSuchOperator",
    )


def test_weights_that_do_not_fill_their_shape(tmp_path: Path) -> None:
    def change(proto: Any) -> None:
        proto.graph.initializer[0].dims[0] = 2**40

    _refused(edit_onnx(save_onnx(tmp_path / "m.onnx"), change), "'w' has not the data its shape asks for")


def test_outputs_that_are_no_tensors(tmp_path: Path) -> None:
    def change(proto: Any) -> None:
        proto.graph.node.append(helper.make_node("SequenceConstruct", ["y"], ["s"]))
        proto.graph.output.append(helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None))

    _refused(edit_onnx(save_onnx(tmp_path / "m.onnx"), change), "'s' is a sequence, not a tensor")


def test_names_that_are_no_text(tmp_path: Path) -> None:
    path = save_onnx(tmp_path / "m.onnx", name="abcdef")
    path.write_bytes(path.read_bytes().replace(b"abcdef", b"abc\xffef"))
    _refused(path, "UTF-8|not valid ONNX")


@pytest.mark.parametrize("word", [b"location", b"offset", b"m.data", b"charset"])
@pytest.mark.parametrize("read", [read_model, external_files, metadata])
def test_no_reader_stumbles_over_bytes_that_are_no_text(
    tmp_path: Path, word: bytes, read: Callable[..., object]
) -> None:
    path = save_onnx(tmp_path / "m.onnx", external="m.data")
    edit_onnx(path, lambda proto: proto.metadata_props.add(key="charset", value="a"))
    path.write_bytes(path.read_bytes().replace(word, b"\x80" * len(word)))
    with pytest.raises(SourceError, match="UTF-8") if _reads(read, word) else nullcontext():
        read(path, name="m") if read is read_model else read(path)


def _reads(read: Callable[..., object], word: bytes) -> bool:
    """Whether a reader comes by a word: each opens what it needs."""
    return (word == b"charset") == (read is metadata)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edits=st.lists(st.tuples(st.floats(0, 0.999), st.binary(min_size=0, max_size=6), st.integers(0, 8)), max_size=6),
    cut=st.floats(0.2, 1),
)
def test_any_damage_is_a_source_error_or_harmless(
    tmp_path: Path, edits: list[tuple[float, bytes, int]], cut: float
) -> None:
    data = bytearray(save_onnx(tmp_path / "m.onnx", external="m.data").read_bytes())
    for where, insert, drop in edits:
        at = int(where * len(data))
        data[at : at + drop] = insert
    path = tmp_path / "damaged.onnx"
    path.write_bytes(data[: int(cut * len(data))])
    try:
        model = read_model(path, name="damaged")
    except SourceError as error:
        assert "\n" not in error.message and len(error.message) < 600
    else:
        assert model.source_bytes <= len(data) + 48


def test_every_small_net_of_the_onnx_project_opens() -> None:
    nets = sorted((Path(onnx.__file__).parent / "backend" / "test" / "data" / "light").glob("*.onnx"))
    assert len(nets) >= 9
    for net in nets:
        assert open_source(str(net)).model.opset == 9


def _refused(path: Path, message: str) -> None:
    with pytest.raises(SourceError, match=message) as error:
        open_source(str(path))
    assert error.value.exit_code == 4 and error.value.next and "\n" not in error.value.message
