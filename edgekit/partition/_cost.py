"""How much work a node is: multiply-accumulates where its sizes are known, and bytes of weights."""

from __future__ import annotations

from math import prod

from edgekit.partition._view import Node, View


def macs(node: Node, view: View) -> int | None:
    """Multiply-accumulates of one run of a node; 0 for operators without products, None where a size is unknown."""
    count = _COUNTED.get(node.op)
    return 0 if count is None else count(node, view)


def weight_bytes(view: View) -> dict[int, int]:
    """Bytes of constants by the index of the node that reads each first; the same weight counts once."""
    seen: set[str] = set()
    found: dict[int, int] = {}
    for node in view.nodes:
        new = {name for name in node.inputs if name and name not in seen}
        seen |= new
        found[node.index] = sum(view.constant_bytes(name) for name in new)
    return found


def _conv(node: Node, view: View) -> int | None:
    """Every output element is a product with one filter: input channels of a group times the kernel's size."""
    weight = view.shape(node.inputs[3 if node.op == "QLinearConv" else 1])
    return _times(view.elements(node.outputs[0]), weight and weight[1:])


def _conv_transpose(node: Node, view: View) -> int | None:
    """Every input element meets the output channels of its group times the kernel's size."""
    weight = view.shape(node.inputs[1])
    return _times(view.elements(node.inputs[0]), weight and weight[1:])


def _matmul(node: Node, view: View) -> int | None:
    """Every output element is a product along the inner dimension."""
    a = view.shape(node.inputs[0])
    if not a:
        return None
    transposed = node.attribute("transA", 0)
    return _times(view.elements(node.outputs[0]), (a[0 if transposed and len(a) == 2 else -1],))


def _matmul_nbits(node: Node, view: View) -> int | None:
    """com.microsoft:MatMulNBits: [..., K] times [K, N], both sizes attributes."""
    a = view.shape(node.inputs[0])
    return _times(1, (*a[:-1], node.attribute("K", None), node.attribute("N", None))) if a else None


def _lstm(node: Node, view: View) -> int | None:
    """Per step and gate: input times hidden and hidden times hidden, which is what W and R hold."""
    x = view.shape(node.inputs[0])
    weights = [view.elements(node.inputs[1]), view.elements(node.inputs[2])]
    if not x or None in weights:
        return None
    steps, batch = (x[0], x[1]) if len(x) == 3 else (None, None)
    return _times(sum(size for size in weights if size is not None), (steps, batch))


def _times(first: int | None, rest: tuple[int | None, ...] | None) -> int | None:
    if first is None or rest is None or None in rest:
        return None
    return first * prod(size for size in rest if size is not None)


_COUNTED = {
    "Conv": _conv,
    "FusedConv": _conv,
    "NhwcFusedConv": _conv,
    "ConvInteger": _conv,
    "QLinearConv": _conv,
    "ConvTranspose": _conv_transpose,
    "MatMul": _matmul,
    "Gemm": _matmul,
    "FusedMatMul": _matmul,
    "FusedGemm": _matmul,
    "QLinearMatMul": _matmul,
    "MatMulInteger": _matmul,
    "MatMulIntegerToFloat": _matmul,
    "DynamicQuantizeMatMul": _matmul,
    "QGemm": _matmul,
    "MatMulNBits": _matmul_nbits,
    "LSTM": _lstm,
    "GRU": _lstm,
    "RNN": _lstm,
}
