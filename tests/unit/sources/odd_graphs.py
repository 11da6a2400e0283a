"""ONNX models of the forms that exporters really make, each of a few bytes: name -> maker(folder) -> file or folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

F, I64, I32, U8, BOOL, STR = (
    TensorProto.FLOAT,
    TensorProto.INT64,
    TensorProto.INT32,
    TensorProto.UINT8,
    TensorProto.BOOL,
    TensorProto.STRING,
)
RNG = np.random.default_rng(0)


def const(name: str, *shape: int, dtype: Any = np.float32) -> Any:
    return numpy_helper.from_array(RNG.standard_normal(shape).astype(dtype), name)


def value(name: str, kind: int, *shape: Any) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))


def save(
    path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: Any = (), **options: Any
) -> Path:
    """Write a model; opset 17 unless said otherwise."""
    opsets = [helper.make_opsetid("", options.get("opset", 17))]
    opsets += [helper.make_opsetid(*domain) for domain in options.get("domains", ())]
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(weights))
    model = helper.make_model(graph, opset_imports=opsets, ir_version=options.get("ir", 8))
    path.write_bytes(model.SerializeToString())
    return path


def opset(number: int) -> Callable[[Path], Path]:
    """One product; a form that every opset since 7 has."""

    def make(folder: Path) -> Path:
        nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)]
        out = [value("y", F, "n", 8)]
        ir = 3 if number < 10 else 8
        inputs = [value("x", F, "n", 16)]
        if ir == 3:  # these list their weights among the inputs
            inputs += [value("w", F, 8, 16), value("b", F, 8)]
        return save(folder / "m.onnx", nodes, inputs, out, [const("w", 8, 16), const("b", 8)], opset=number, ir=ir)

    return make


def external_folder(folder: Path) -> Path:
    """A folder whose graph keeps its weights in another file, one of them in a Constant node."""
    weight, inner = const("w", 16, 32), const("c", 32)
    data = bytearray()
    for tensor in (weight, inner):
        set_external_data(tensor, "weights/all.bin", len(data), len(tensor.raw_data))
        data += tensor.raw_data
        tensor.ClearField("raw_data")
    (folder / "weights").mkdir()
    (folder / "weights" / "all.bin").write_bytes(data)
    nodes = [
        helper.make_node("Constant", [], ["c"], value=inner),
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("Add", ["m", "c"], ["y"]),
    ]
    save(folder / "model.onnx", nodes, [value("x", F, "n", 16)], [value("y", F, "n", 32)], [weight])
    return folder


def nchw(folder: Path) -> Path:
    nodes = [helper.make_node("Conv", ["image", "w"], ["y"], pads=[1, 1, 1, 1])]
    ins, outs = [value("image", F, 1, 3, 32, 32)], [value("y", F, 1, 4, 32, 32)]
    return save(folder / "m.onnx", nodes, ins, outs, [const("w", 4, 3, 3, 3)])


def nhwc(folder: Path) -> Path:
    """As converters from TensorFlow write it: channels last, transposed inside, names with a colon."""
    nodes = [
        helper.make_node("Transpose", ["input_1:0"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["t", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Transpose", ["c"], ["Identity:0"], perm=[0, 2, 3, 1]),
    ]
    ins, outs = [value("input_1:0", F, "unk__1", 32, 32, 3)], [value("Identity:0", F, "unk__2", 32, 32, 4)]
    return save(folder / "m.onnx", nodes, ins, outs, [const("w", 4, 3, 3, 3)])


def integers(folder: Path) -> Path:
    """Token ids, a mask of int32, bytes and truth values as inputs."""
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["e"]),
        helper.make_node("Cast", ["mask"], ["m"], to=F),
        helper.make_node("Cast", ["bytes"], ["b"], to=F),
        helper.make_node("Cast", ["on"], ["o"], to=F),
        helper.make_node("Unsqueeze", ["m", "axis"], ["mm"]),
        helper.make_node("Mul", ["e", "mm"], ["em"]),
        helper.make_node("Add", ["em", "b"], ["eb"]),
        helper.make_node("Mul", ["eb", "o"], ["y"]),
    ]
    ins = [value("ids", I64, "n", "t"), value("mask", I32, "n", "t"), value("bytes", U8, 8), value("on", BOOL)]
    weights = [const("table", 20, 8), numpy_helper.from_array(np.array([2], np.int64), "axis")]
    return save(folder / "m.onnx", nodes, ins, [value("y", F, "n", "t", 8)], weights)


def odd_names(folder: Path) -> Path:
    nodes = [helper.make_node("Add", ["input:0", "a/b.c d"], ["输出 1"])]
    ins = [value("input:0", F, 2, 3), value("a/b.c d", F, 2, 3)]
    return save(folder / "m.onnx", nodes, ins, [value("输出 1", F, 2, 3)])


def subgraphs(folder: Path) -> Path:
    """An If in a Loop; the inner graph reads a weight of the outer one."""
    yes = helper.make_graph([helper.make_node("Mul", ["s", "w"], ["r"])], "yes", [], [value("r", F, 4)])
    no = helper.make_graph([helper.make_node("Identity", ["s"], ["r"])], "no", [], [value("r", F, 4)])
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["c"], ["c_out"]),
            helper.make_node("If", ["c"], ["s_out"], then_branch=yes, else_branch=no),
        ],
        "body",
        [value("i", I64), value("c", BOOL), value("s", F, 4)],
        [value("c_out", BOOL), value("s_out", F, 4)],
    )
    weights = [const("w", 4), numpy_helper.from_array(np.array(3, np.int64), "n")]
    weights += [numpy_helper.from_array(np.array(True), "go")]
    node = helper.make_node("Loop", ["n", "go", "x"], ["y"], body=body)
    return save(folder / "m.onnx", [node], [value("x", F, 4)], [value("y", F, 4)], weights)


def state(folder: Path) -> Path:
    """A recurrent net that hands its state back."""
    nodes = [
        helper.make_node("Unsqueeze", ["x", "axis"], ["xs"]),
        helper.make_node("GRU", ["xs", "w", "r", "", "", "h"], ["seq", "hn"], hidden_size=4),
        helper.make_node("Squeeze", ["seq", "two"], ["y"]),
    ]
    weights = [const("w", 1, 12, 3), const("r", 1, 12, 4)]
    weights += [numpy_helper.from_array(np.array([0], np.int64), "axis")]
    weights += [numpy_helper.from_array(np.array([0, 1], np.int64), "two")]
    ins, outs = [value("x", F, 1, 3), value("h", F, 1, 1, 4)], [value("y", F, 1, 4), value("hn", F, 1, 1, 4)]
    return save(folder / "m.onnx", nodes, ins, outs, weights)


def many(folder: Path) -> Path:
    """Three inputs, one of which has a default, and three outputs."""
    nodes = [
        helper.make_node("Add", ["a", "b"], ["s"]),
        helper.make_node("Mul", ["s", "scale"], ["p"]),
        helper.make_node("ReduceMax", ["p"], ["top"], keepdims=0),
    ]
    ins = [value("a", F, "n", 3), value("b", F, "n", 3), value("scale", F)]
    outs = [value("s", F, "n", 3), value("p", F, "n", 3), value("top", F)]
    return save(folder / "m.onnx", nodes, ins, outs, [numpy_helper.from_array(np.float32(2), "scale")])


def qdq(folder: Path) -> Path:
    """Quantized with QuantizeLinear pairs, as onnxruntime.quantization writes it."""
    weights = [
        numpy_helper.from_array(RNG.integers(-100, 100, (16, 8)).astype(np.int8), "w"),
        numpy_helper.from_array(np.float32(0.01), "ws"),
        numpy_helper.from_array(np.int8(0), "wz"),
        numpy_helper.from_array(np.float32(0.05), "xs"),
        numpy_helper.from_array(np.uint8(128), "xz"),
    ]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "xs", "xz"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"]),
        helper.make_node("MatMul", ["xd", "wd"], ["y"]),
    ]
    return save(folder / "m.onnx", nodes, [value("x", F, "n", 16)], [value("y", F, "n", 8)], weights)


def qdq_external(folder: Path) -> Path:
    """The same with its weights in a file of a folder beside it."""
    import onnx

    model = onnx.load(str(qdq(folder)))
    weight = model.graph.initializer[0]
    (folder / "weights").mkdir()
    (folder / "weights" / "w.bin").write_bytes(weight.raw_data)
    set_external_data(weight, "weights/w.bin", 0, len(weight.raw_data))
    weight.ClearField("raw_data")
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    return folder / "m.onnx"


def nbits(folder: Path) -> Path:
    """Weights in 4 bits, by an operator of ONNX Runtime."""
    weights = [
        numpy_helper.from_array(RNG.integers(0, 255, (8, 1, 16)).astype(np.uint8), "w"),
        numpy_helper.from_array(np.full(8, 0.1, np.float32), "s"),
    ]
    node = helper.make_node(
        "MatMulNBits", ["x", "w", "s"], ["y"], domain="com.microsoft", K=32, N=8, bits=4, block_size=32
    )
    outs = [value("y", F, "n", 8)]
    return save(folder / "m.onnx", [node], [value("x", F, "n", 32)], outs, weights, domains=[("com.microsoft", 1)])


def half(folder: Path) -> Path:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    F16 = TensorProto.FLOAT16
    ins, outs = [value("x", F16, "n", 16)], [value("y", F16, "n", 8)]
    return save(folder / "m.onnx", nodes, ins, outs, [const("w", 16, 8, dtype=np.float16)])


def sparse(folder: Path) -> Path:
    values = numpy_helper.from_array(np.array([1.5, 2.5], np.float32), "w")
    indices = numpy_helper.from_array(np.array([0, 5], np.int64), "i")
    nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
    path = save(folder / "m.onnx", nodes, [value("x", F, 8)], [value("y", F, 8)])
    import onnx

    model = onnx.load(str(path))
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [8]))
    path.write_bytes(model.SerializeToString())
    return path


def function(folder: Path) -> Path:
    """A local function, as torch's newer exporter writes them."""
    made = helper.make_function(
        "own",
        "Twice",
        ["a"],
        ["b"],
        [helper.make_node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 17)],
    )
    node = helper.make_node("Twice", ["x"], ["y"], domain="own")
    graph = helper.make_graph([node], "g", [value("x", F, "n")], [value("y", F, "n")])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=[made])
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    return folder / "m.onnx"


def strings(folder: Path) -> Path:
    node = helper.make_node(
        "LabelEncoder", ["word"], ["id"], domain="ai.onnx.ml", keys_strings=["a", "b"], values_int64s=[1, 2]
    )
    ins, outs = [value("word", STR, "n")], [value("id", I64, "n")]
    return save(folder / "m.onnx", [node], ins, outs, opset=17, domains=[("ai.onnx.ml", 2)])


def unknown_sizes(folder: Path) -> Path:
    """Sizes that no exporter could name: "?", -1, nothing."""
    node = helper.make_node("Relu", ["x"], ["y"])
    return save(folder / "m.onnx", [node], [value("x", F, "?", -1, 4)], [value("y", F, None, "", 4)])


def no_shape(folder: Path) -> Path:
    """An input without a shape, which ONNX Runtime takes and the ONNX checker does not; its operator takes any."""
    node = helper.make_node("Relu", ["x"], ["y"])
    bare = [helper.make_tensor_value_info(name, F, None) for name in ("x", "y")]
    return save(folder / "m.onnx", [node], bare[:1], bare[1:])
