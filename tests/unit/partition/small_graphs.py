"""Small graphs for the tests of placement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str | None]
TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "float64": TensorProto.DOUBLE,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
    "bool": TensorProto.BOOL,
}


def node(op: str, inputs: str, outputs: str = "y", *, domain: str = "", **attributes: Any) -> Any:
    """A node; names are separated by spaces, "-" is a left-out input; its own name is its operator and first output."""
    names = ["" if name == "-" else name for name in inputs.split()]
    first = outputs.split()[0]
    return helper.make_node(op, names, outputs.split(), name=f"{op}.{first}", domain=domain, **attributes)


def value(name: str, shape: Shape | None, dtype: str = "float32") -> Any:
    return helper.make_tensor_value_info(name, TYPES[dtype], None if shape is None else list(shape))


def model(
    nodes: Sequence[Any],
    inputs: Mapping[str, Any],
    weights: Mapping[str, Any] | None = None,
    *,
    outputs: Mapping[str, Any] | None = None,
    opset: int = 17,
    ir: int = 8,
) -> Any:
    """A model. inputs, outputs: name -> shape, or (shape, dtype); the default output is y of unknown shape."""
    shown = {"y": None} if outputs is None else outputs
    graph = helper.make_graph(
        list(nodes),
        "small",
        [_value(name, what) for name, what in inputs.items()],
        [_value(name, what) for name, what in shown.items()],
        [_constant(name, data) for name, data in (weights or {}).items()],
    )
    domains = {"": opset, **{one.domain: 1 for one in nodes if one.domain}}
    opsets = [helper.make_opsetid(domain, version) for domain, version in domains.items()]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir)


def _constant(name: str, data: Any) -> Any:
    if isinstance(data, onnx.TensorProto):
        tensor = onnx.TensorProto()
        tensor.CopyFrom(data)
        tensor.name = name
        return tensor
    return numpy_helper.from_array(np.asarray(data), name)


def _value(name: str, what: Any) -> Any:
    if isinstance(what, tuple) and len(what) == 2 and isinstance(what[1], str):
        return value(name, what[0], what[1])
    return value(name, what)


def save(folder: Path, proto: Any) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def weight(*shape: int, dtype: str = "float32") -> Any:
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


def conv(**attributes: Any) -> Any:
    """x [1, 3, 8, 8] through four 3 x 3 filters."""
    return model([node("Conv", "x w", **attributes)], {"x": [1, 3, 8, 8]}, {"w": weight(4, 3, 3, 3)})


def quantized(
    op: str,
    x: Shape,
    w: Any,
    *,
    activation: str = "uint8",
    scales: int = 1,
    out_scale: float = 0.02,
    axis: int = 0,
    clip: Any = None,
    **attributes: Any,
) -> Any:
    """x -> Q -> DQ -> op(with DQ of int8 weights, if any) -> Q -> DQ -> y, as a QDQ quantizer writes it."""
    zero = np.zeros((), activation)
    constants: dict[str, Any] = {"s": np.float32(0.02), "z": zero, "os": np.float32(out_scale), "oz": zero}
    inputs = "xd"
    nodes = [node("QuantizeLinear", "x s z", "xq"), node("DequantizeLinear", "xq s z", "xd")]
    if w is not None:
        per = np.full(scales, 0.01, np.float32) if scales > 1 else np.float32(0.01)
        constants |= {"w": w, "ws": per, "wz": np.zeros(np.shape(per), np.int8)}
        nodes.append(node("DequantizeLinear", "w ws wz", "wd", axis=axis))
        inputs = "xd wd"
    nodes.append(node(op, inputs, "c", **attributes))
    last = "c"
    if clip is not None:
        nodes.append(clip)
        last = clip.output[0]
    nodes += [node("QuantizeLinear", f"{last} os oz", "cq"), node("DequantizeLinear", "cq os oz", "y")]
    return model(nodes, {"x": x}, constants)


def int8(*shape: int) -> Any:
    return np.random.default_rng(0).integers(-100, 100, shape).astype(np.int8)


def matmul_nbits(rows: int = 4, k: int = 64, n: int = 32) -> Any:
    """x [rows, 64] times int4 weights in blocks of 32, as GenAI's builder writes a linear layer."""
    packed = np.random.default_rng(0).integers(0, 255, (n, k // 32, 16)).astype(np.uint8)
    scales = np.full(n * (k // 32), 0.01, np.float32)
    one = node("MatMulNBits", "x w s", domain="com.microsoft", K=k, N=n, bits=4, block_size=32)
    return model([one], {"x": [rows, k]}, {"w": packed, "s": scales})


def branch(then_op: str = "Relu", else_op: str = "Neg") -> Any:
    """x -> Conv -> If(c) {then_op} else {else_op} -> Sigmoid."""
    then = helper.make_graph([node(then_op, "a", "t")], "then", [], [value("t", [1, 4, 6, 6])])
    other = helper.make_graph([node(else_op, "a", "e")], "else", [], [value("e", [1, 4, 6, 6])])
    return model(
        [
            node("Conv", "x w", "a"),
            node("If", "c", "b", then_branch=then, else_branch=other),
            node("Sigmoid", "b", "y"),
        ],
        {"x": [1, 3, 8, 8], "c": ([], "bool")},
        {"w": weight(4, 3, 3, 3)},
        outputs={"y": [1, 4, 6, 6]},
    )


def outlook(partition: Any, ep: str) -> tuple[int, str]:
    """What the tests compare: nodes taken, and all reasons in one text."""
    assert partition.ep == ep
    return partition.nodes_taken, " | ".join(f"{blocker.operator}: {blocker.reason}" for blocker in partition.blockers)
