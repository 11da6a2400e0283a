"""Node units: single nodes, and groups of DequantizeLinear -> operator -> QuantizeLinear that a provider takes whole.

After ONNX Runtime's core/optimizer/qdq_transformer/selectors_actions (shared/utils.cc, qdq_selectors.cc) and
core/framework/node_unit.cc.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edgekit.partition._view import Node, View

Q, DQ = "QuantizeLinear", "DequantizeLinear"
RANGES = {"uint8": (0, 255), "int8": (-128, 127), "uint16": (0, 65535), "int16": (-32768, 32767)}

# Operators that only move values: input and output share scale and zero point. MaxPool counts from opset 12 on.
_MOVES = {"Gather", "GatherElements", "Reshape", "Expand", "Flatten", "Transpose", "MaxPool", "Resize", "Squeeze"}
_MOVES |= {"Unsqueeze", "Tile"}
_UNARY = {"AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LeakyRelu", "ReduceMean", "ReduceMin", "ReduceMax"}
_UNARY |= {"ReduceProd", "ReduceSum", "Relu", "Gelu", "Elu", "HardSigmoid", "HardSwish", "Sigmoid", "Slice"}
_UNARY |= {"LogSoftmax", "Softmax", "Sqrt", "Atan", "Asin", "Sin", "Cos", "Sign", "Tanh", "Exp", "Log", "LRN", "Ceil"}
_UNARY |= {"Floor", "Round", "Abs", "Neg", "DepthToSpace", "SpaceToDepth", "Clip", "LpNormalization"}
_SAME = {"Add", "Div", "Mul", "Pow", "Sub", "PRelu", "GridSample", "Concat", "Max", "Min"}
_GROUPED = _MOVES | _UNARY | _SAME | {"Conv", "ConvTranspose", "MatMul", "Gemm", "Split"}


@dataclass(frozen=True)
class Value:
    """An input or output of a unit; scale and zero point are names of values, "" where it is not quantized."""

    name: str
    scale: str = ""
    zero_point: str = ""


@dataclass(frozen=True, eq=False)
class Unit:
    """A node, or the nodes of one quantized operator around it."""

    node: Node
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    nodes: tuple[Node, ...] = field(default=())  # in topological order, the target among them

    @property
    def grouped(self) -> bool:
        return len(self.nodes) > 1


def units(view: View) -> list[Unit]:
    """Every node of a graph, in exactly one unit, ordered by the units' targets."""
    groups = [unit for node in view.nodes if (unit := _group(node, view))]
    taken = {node.index for unit in groups for node in unit.nodes}
    singles = [_single(node) for node in view.nodes if node.index not in taken]
    return sorted(groups + singles, key=lambda unit: unit.node.index)


def _single(node: Node) -> Unit:
    inputs = tuple(Value(name) for name in node.inputs)
    outputs = tuple(Value(name) for name in node.outputs)
    own = node.inputs
    zero = own[2] if len(own) > 2 else ""
    if node.op == DQ:
        inputs = (Value(own[0], own[1], zero),)
    elif node.op == Q:
        inputs, outputs = (Value(own[0]),), (Value(node.outputs[0], own[1], zero),)
    elif node.op in ("QLinearConv", "QLinearMatMul", "QLinearAdd", "QLinearMul") and len(own) >= 8:
        bias = (Value(own[8]),) if len(own) > 8 else ()
        inputs, outputs = (Value(*own[0:3]), Value(*own[3:6]), *bias), (Value(node.outputs[0], *own[6:8]),)
    elif node.op in ("QLinearSigmoid", "QLinearAveragePool") and len(own) >= 4:
        inputs, outputs = (Value(*own[0:3]),), (Value(node.outputs[0], own[3], own[4] if len(own) > 4 else ""),)
    return Unit(node, inputs, outputs, (node,))


def _group(node: Node, view: View) -> Unit | None:
    """The unit around a node, where the quantized nodes beside it belong to it alone."""
    if node.op not in _GROUPED or node.domain not in ("", "com.microsoft"):
        return None
    parents = [view.producer.get(name) for name in node.inputs if name]
    before = [parent for parent in parents if parent is not None and parent.op == DQ]
    clip = _clip(node, view)
    after = _readers(clip or node, view)
    if not before or not after or any(one.op != Q for one in after) or not _fits(node, before, after, clip, view):
        return None
    if any(name in view.outputs for one in (node, *([clip] if clip else [])) for name in one.outputs):
        return None
    if any(len(_readers(one, view)) != 1 or one.outputs[0] in view.outputs for one in before):
        return None
    quantized = {one.outputs[0]: one for one in before}
    inputs = tuple(_value(quantized.get(name), name) for name in node.inputs)
    outputs = tuple(Value(one.outputs[0], one.inputs[1], one.inputs[2] if one.has(2) else "") for one in after)
    return Unit(node, inputs, outputs, (*before, node, *([clip] if clip else []), *after))


def _fits(node: Node, before: list[Node], after: list[Node], clip: Node | None, view: View) -> bool:
    """The operator's own rule of how many quantized values it has around it, and of which types."""
    given = sum(bool(name) for name in node.inputs)
    types = [view.dtype(one.inputs[0]) for one in before]
    out = [view.dtype(one.outputs[0]) or _zero_type(one, view) for one in after]
    if len(after) != sum(bool(name) for name in node.outputs):
        return False
    if node.op in _MOVES:
        if clip or len(before) != 1 or (node.op == "MaxPool" and node.since != 12):
            return False
        return types[0] == out[0] and _same_quantization(before[0], after[0], view)
    if node.op in _UNARY or node.op == "Split":
        return len(before) == 1 and all(one == types[0] for one in out)
    if len(before) != given:
        return False
    if node.op in _SAME:
        return len({*types, *out}) == 1
    if types[0] == "int8" and types[1] != "int8":
        return False
    return types[0] == out[0] and (len(types) < 3 or types[2] == "int32")


def _zero_type(node: Node, view: View) -> str:
    """The type that a QuantizeLinear gives: that of its zero point, else uint8."""
    return view.dtype(node.inputs[2]) if node.has(2) else "uint8"


def _same_quantization(before: Node, after: Node, view: View) -> bool:
    for position in (1, 2):
        a = view.numbers(before.inputs[position]) if before.has(position) else [0]
        b = view.numbers(after.inputs[position]) if after.has(position) else [0]
        if a is None or a != b or len(a) != 1:
            return False
    return True


def _clip(node: Node, view: View) -> Node | None:
    """A Relu or Clip behind the node that the QuantizeLinear behind it makes redundant."""
    readers = _readers(node, view)
    if len(readers) != 1 or readers[0].op not in ("Relu", "Clip") or readers[0].outputs[0] in view.outputs:
        return None
    clip, after = readers[0], _readers(readers[0], view)
    if len(after) != 1 or after[0].op != Q:
        return None
    scale = view.numbers(after[0].inputs[1])
    zero = view.numbers(after[0].inputs[2]) if after[0].has(2) else [0]
    bounds = RANGES.get(_zero_type(after[0], view))
    if scale is None or zero is None or len(scale) != 1 or bounds is None:
        return None
    low, high = ((bound - zero[0]) * scale[0] for bound in bounds)
    least, most = limits(clip, view) or (None, None)
    return clip if least is not None and most is not None and least <= low and high <= most else None


def limits(clip: Node, view: View) -> tuple[float, float] | None:
    """The bounds of a Relu or Clip; None where they are not constant."""
    if clip.op == "Relu":
        return 0.0, float("inf")
    bounds = []
    for position, name, default in ((1, "min", float("-inf")), (2, "max", float("inf"))):
        if clip.since < 11:
            bounds.append(float(clip.attribute(name, default)))
        elif clip.has(position):
            value = view.numbers(clip.inputs[position])
            if not value:
                return None
            bounds.append(float(value[0]))
        else:
            bounds.append(default)
    return bounds[0], bounds[1]


def _readers(node: Node, view: View) -> list[Node]:
    return [reader for name in node.outputs if name for reader in view.consumers.get(name, ())]


def _value(dequantize: Node | None, name: str) -> Value:
    if dequantize is None:
        return Value(name)
    own = dequantize.inputs
    return Value(own[0], own[1], own[2] if len(own) > 2 else "")
