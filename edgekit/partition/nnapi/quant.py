"""NNAPI's rules on types, scales and zero points: op_builder_helpers.cc and helper.cc of ONNX Runtime 1.21.0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgekit.partition._inputs import Inputs
from edgekit.partition._units import DQ, Q, Unit, Value
from edgekit.partition._view import Node, View

_PAIRS = ("QLinearConv", "QLinearMatMul", "QLinearAdd", "QLinearMul")
_WEIGHED = ("Conv", "QLinearConv", "MatMul", "QLinearMatMul", "Gemm")
_FLOAT_OR_UINT8 = ("Concat", "MaxPool", "Resize", "Transpose")


@dataclass(frozen=True)
class Facts(Inputs):
    """A unit with the graph around it."""

    unit: Unit
    view: View
    api_level: int

    @property
    def node(self) -> Node:
        return self.unit.node

    @property
    def quantized(self) -> bool:
        return self.unit.grouped or self.node.op.startswith("QLinear")

    def name(self, position: int) -> str:
        inputs = self.unit.inputs
        return inputs[position].name if position < len(inputs) else ""

    def attribute(self, name: str, default: Any) -> Any:
        return self.node.attribute(name, default)


def types(facts: Facts) -> str:
    """Why the element types or the quantization are refused; HasSupportedInputOutputsImpl of each builder."""
    op = facts.node.op
    if op == DQ:
        return _values(facts, facts.unit.inputs[:1])
    if op == Q:
        return _values(facts, facts.unit.outputs[:1])
    if facts.quantized:
        return _quantized(facts)
    if op == "Pow" and (facts.dtype(0) != "float32" or facts.dtype(1) != "float32"):
        return f"both inputs must be float32, not {facts.dtype(0)} and {facts.dtype(1)}"
    allowed = ("float32", "uint8") if op in _FLOAT_OR_UINT8 else ("float32",)
    return "" if facts.dtype(0) in allowed else f"its input is {facts.dtype(0) or 'of unknown type'}, not float32"


def _quantized(facts: Facts) -> str:
    op = facts.node.op
    pair = op in _PAIRS or op in ("Conv", "MatMul", "Gemm", "Add", "Mul")
    if pair and (reason := _pair(facts)):
        return reason
    inputs = facts.unit.inputs if op == "Concat" else facts.unit.inputs[: 2 if pair else 1]
    reason = _values(facts, inputs, weights=op in _WEIGHED) or _values(facts, facts.unit.outputs[:1])
    if reason:
        return reason
    if op in ("Softmax", "QLinearSigmoid"):
        return required(facts, facts.unit.outputs[0], 1 / 256, 0)
    if op in ("AveragePool", "QLinearAveragePool"):
        before, after = _scale(facts, facts.unit.inputs[0]), _scale(facts, facts.unit.outputs[0])
        return "" if before == after else "scale and zero point of input and output differ"
    return ""


def _pair(facts: Facts) -> str:
    """helper.cc, HasValidBinaryOpQuantizedInputTypes: uint8 with uint8, or with int8 weights."""
    a, b = facts.dtype(0), facts.dtype(1)
    good = a == "uint8" and (b in ("uint8", "int8") if facts.node.op in _WEIGHED else a == b)
    return "" if good else f"its inputs are {a} and {b}: activations must be uint8"


def _values(facts: Facts, values: tuple[Value, ...], *, weights: bool = False) -> str:
    """op_builder_helpers.cc, IsQuantizedIOSupported, of some inputs or outputs."""
    for position, value in enumerate(values):
        if not value.scale:
            return "an input or output of it is not quantized"
        view = facts.view
        kind = view.dtype(value.name) or (view.dtype(value.zero_point) if value.zero_point else "uint8")
        weight = weights and position == 1
        if kind != "uint8" and not (weight and kind == "int8"):
            return f"a quantized {'weight' if weight else 'value'} is {kind}: it must be uint8"
        reason = _scales(facts, value, signed=weight and kind == "int8") or _zeros(
            facts, value, weight and kind == "int8"
        )
        if reason:
            return reason
    return ""


def _scales(facts: Facts, value: Value, *, signed: bool) -> str:
    view, op = facts.view, facts.node.op
    if not view.is_constant(value.scale):
        return "a scale is not constant"
    size = (view.shape(value.scale) or (1,))[0]
    if size == 1:
        return ""
    if not signed:
        return "per-channel scales are taken only for int8 weights of Conv"
    if op in ("MatMul", "QLinearMatMul"):
        return "MatMul takes no per-channel scales"
    if facts.api_level < 29:
        return "per-channel scales need Android API level 29"
    first = (view.shape(value.name) or (None,))[0]
    return "" if first == size else "there are not as many scales as output channels"


def _zeros(facts: Facts, value: Value, signed: bool) -> str:
    view = facts.view
    if not value.zero_point:
        return ""
    if not view.is_constant(value.zero_point):
        return "a zero point is not constant"
    size = (view.shape(value.zero_point) or (1,))[0]
    if not signed:
        return "" if size == 1 else "per-channel zero points are taken only for int8 weights of Conv"
    if view.dtype(value.zero_point) != "int8":
        return "the zero point of int8 weights must be int8"
    if size != 1 and facts.node.op in ("MatMul", "QLinearMatMul"):
        return "MatMul takes no per-channel zero points"
    numbers = view.numbers(value.zero_point)
    return "" if numbers is None or not any(numbers) else "the zero point of int8 weights must be 0"


def required(facts: Facts, value: Value, scale: float, zero: int) -> str:
    """op_builder_helpers.cc, HasRequiredScaleAndZeroPoint."""
    found = _scale(facts, value)
    if found is None or abs(found[0] - scale) > 1e-9 or found[1] != zero:
        return f"NNAPI wants the output's scale to be {scale:g} and its zero point {zero}"
    return ""


def _scale(facts: Facts, value: Value) -> tuple[float, int] | None:
    scale = facts.view.numbers(value.scale)
    zero = facts.view.numbers(value.zero_point) if value.zero_point else [0]
    return (float(scale[0]), int(zero[0])) if scale and zero else None
