"""What ONNX Runtime's NNAPI provider takes: its operator table, and the rules of its operator builders.

The table is onnxruntime/tools/mobile_helpers/nnapi_supported_ops.md of the installed wheel. The rules are those of
core/providers/nnapi/nnapi_builtin/builders of ONNX Runtime 1.21.0: base_op_builder.cc, op_builder_helpers.cc, helper.cc
and impl/*_op_builder.cc; each function names its file. A rule gives "" or why the node is left. A phone's own driver
may still refuse what the provider offers it.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.partition._place import Placement, Wanted, groups, key
from edgekit.partition._tables import table
from edgekit.partition._units import Unit, units
from edgekit.partition._view import Node, View
from edgekit.partition.nnapi import quant
from edgekit.partition.nnapi.ops import RULES
from edgekit.partition.nnapi.quant import Facts

TABLE = "nnapi_supported_ops.md"
BASIS = f"{TABLE} of the installed wheel, rules of the operator builders of ONNX Runtime 1.21.0"
ALSO = ("QLinearMul",)  # registered in op_builder_factory.cc, missing from the table
STOPS = ("NonMaxSuppression",)  # nothing below it is taken: kDefaultPartitioningStopOps
QUANTIZED = (
    "Add",
    "Mul",
    "Conv",
    "Gemm",
    "MatMul",
    "AveragePool",
    "Transpose",
    "Reshape",
    "Resize",
    "Concat",
    "Softmax",
)
NOT_ALONE = ("Reshape", "Flatten", "Identity")  # a piece of one of these only copies: helper.cc
# Android API level that NNAPI's operation needs, where it is not 27: GetMinSupportedNNAPIFeatureLevel of each builder.
LEVELS = {
    28: ("Sub", "Div", "Conv", "QLinearConv", "AveragePool", "MaxPool", "GlobalAveragePool", "GlobalMaxPool", "LRN"),
    29: (
        "Pow",
        "PRelu",
        "Cast",
        "Gather",
        "Max",
        "Min",
        "Pad",
        "QuantizeLinear",
        "Abs",
        "Exp",
        "Neg",
        "Sin",
        "Sqrt",
        "Log",
    ),
    30: ("Elu",),
}
LEVEL = {op: level for level, ops in LEVELS.items() for op in ops}
LEVEL |= dict.fromkeys(("Slice", "Softmax", "Squeeze", "Transpose", "ReduceMean", "QLinearAveragePool"), 28)
LEVEL |= {"Split": 29, "Resize": 29}
# The lowest opset of an operator, where it is not 1: GetMinSupportedOpSet of each builder.
MIN_OPSET = {"BatchNormalization": 7, "Add": 7, "Sub": 7, "Mul": 7, "Div": 7, "Pow": 7, "Cast": 6, "Elu": 6, "Gemm": 7}
MIN_OPSET |= {"LeakyRelu": 6, "Max": 6, "Min": 6, "Pad": 11, "Reshape": 5, "Resize": 11, "Slice": 10, "Split": 13}
MIN_OPSET |= dict.fromkeys(("Abs", "Exp", "Floor", "Log", "Neg", "Sigmoid", "Sin", "Sqrt", "Tanh"), 6)


@dataclass(frozen=True)
class Rules:
    """The decisions for one graph."""

    view: View
    api_level: int
    nchw: bool
    operators: frozenset[str]  # by name: the provider does not look at the domain

    def refusal(self, unit: Unit) -> str:
        """Why a unit is left; "" where it is taken."""
        node, view = unit.node, self.view
        if node.op not in self.operators:
            return "NNAPI's provider has no such operator"
        if unit.grouped and node.op not in QUANTIZED:
            return f"a quantized {node.op} is not taken; the float one is"
        facts = Facts(unit, view, self.api_level)
        for check in (self._level, _shapes, self._opset):
            if reason := check(facts):
                return reason
        return quant.types(facts) or RULES.get(node.op, _anything)(facts)

    def _level(self, facts: Facts) -> str:
        op = facts.node.op
        needs = LEVEL.get(op, 27)
        if op == "Resize" and facts.dtype(0) == "uint8":
            needs = 28
        if op in ("Conv", "QLinearConv", "AveragePool", "MaxPool") and self.nchw:
            needs = 29
        return f"needs Android API level {needs}" if needs > self.api_level else ""

    def _opset(self, facts: Facts) -> str:
        needs = MIN_OPSET.get(facts.node.op, 1)
        return f"needs opset {needs} or later" if facts.node.since < needs else ""


def place(view: View, wanted: Wanted) -> Placement:
    """The predicted placement of a graph and of its bodies."""
    placement = Placement()
    rules = Rules(
        view,
        wanted.api_level,
        wanted.options.get("use_nchw") == "1",
        frozenset(name.partition(":")[2] for name in table(TABLE)) | {*ALSO},
    )
    below = _below(view, STOPS)
    all_units = units(view)
    known: dict[int, str] = {}

    def takes(unit: Unit, made: set[str]) -> bool:
        if id(unit) not in known:
            stopped = f"it is below {STOPS[0]}, where the provider stops" if unit.node.index in below else ""
            known[id(unit)] = stopped or rules.refusal(unit) or _internal(unit, view, made)
        return not known[id(unit)]

    for piece in groups(view, all_units, takes):
        nodes = [node for unit in piece for node in unit.nodes]
        alone = len(nodes) == 1 and nodes[0].op in NOT_ALONE
        constant = not alone and all(view.is_constant(name) for name in _read(nodes))
        if alone or constant:
            reason = "alone it would only copy" if alone else "everything it reads is constant"
            known |= {id(unit): reason for unit in piece}
        else:
            placement.groups.append(("nnapi", [key(view, node) for node in nodes]))
            placement.ep |= {key(view, node): "nnapi" for node in nodes}
    for unit in all_units:
        if reason := known[id(unit)]:
            placement.reasons |= {key(view, node): reason for node in unit.nodes}
    for body in view.all():
        if body is not view:
            reason = f"it is inside a body of {body.owner}; the provider looks at the main graph only"
            placement.reasons |= {key(body, node): reason for node in body.nodes}
    return placement


def _internal(unit: Unit, view: View, made: set[str]) -> str:
    """helper.cc, IsInternalQuantizationSupported: uint8 without a scale must come from the same piece."""
    if unit.grouped or unit.node.op not in ("Transpose", "Resize", "Concat", "MaxPool"):
        return ""
    if view.dtype(unit.node.inputs[0]) != "uint8":
        return ""
    names = unit.node.inputs if unit.node.op == "Concat" else unit.node.inputs[:1]
    return "" if all(name in made for name in names) else "its uint8 input carries no scale"


def _shapes(facts: Facts) -> str:
    """base_op_builder.cc, HasSupportedInputOutputs: every input's size must be known."""
    for value in facts.unit.inputs:
        for name in (value.name, value.scale, value.zero_point):
            if name and facts.view.shape(name) is None:
                return "the shape of an input is not known"
            if name and not facts.view.static(name):
                return "the size of an input varies"
    return ""


def _anything(facts: Facts) -> str:
    return ""


def _below(view: View, stops: tuple[str, ...]) -> set[int]:
    """All nodes that read, by whatever way, from these operators."""
    found: set[int] = set()
    for node in view.nodes:
        sources = {view.producer[name].index for name in node.inputs if name in view.producer}
        if sources & found or any(view.producer[name].op in stops for name in node.inputs if name in view.producer):
            found.add(node.index)
    return found


def _read(nodes: list[Node]) -> set[str]:
    made = {name for node in nodes for name in node.outputs}
    return {name for node in nodes for name in node.inputs if name} - made
