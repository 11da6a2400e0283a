"""What ONNX Runtime's Core ML provider takes: its operator tables, and the rules of its operator builders.

The tables are onnxruntime/tools/mobile_helpers/coreml_supported_*_ops.md of the installed wheel, one for each format;
the releases that brought an operator were read off the tables of the wheels 1.18 to 1.32. The rules are those of
core/providers/coreml/builders of ONNX Runtime 1.21.0, with what the messages in 1.29's iOS library say has changed.
"""

from __future__ import annotations

from edgekit.partition._place import Placement, Wanted, groups, key
from edgekit.partition._tables import table
from edgekit.partition._units import Unit
from edgekit.partition._view import View
from edgekit.partition.coreml.facts import Facts
from edgekit.partition.coreml.ops import RULES, TYPES

MLPROGRAM, NEURALNETWORK = "coreml_supported_mlprogram_ops.md", "coreml_supported_neuralnetwork_ops.md"
BASIS = (
    "coreml_supported_*_ops.md of the installed wheel, rules of the operator builders of ONNX Runtime 1.21.0 and 1.29.0"
)
# Registered and able to make an ML Program in 1.21.0 (op_builder_factory.cc), missing from the table.
ALSO = ("BatchNormalization", "ReduceMin", "ReduceProd")
# Operator -> the first release whose MLProgram table, or whose library's messages, have it.
ADDED = {
    **dict.fromkeys(("Elu", "Exp", "Softplus"), (1, 24)),
    **dict.fromkeys(("HardSigmoid", "QuickGelu"), (1, 26)),
    **dict.fromkeys(("Ceil", "Cos", "GatherND", "Identity", "Sin", "Tile", "FusedConv"), (1, 27)),
    **dict.fromkeys(("And", "Where"), (1, 28)),
    **dict.fromkeys(("Pad", "Gather"), (1, 29)),
}
NOT_IN_TABLE = ("Pad", "Gather")  # 1.29's library has their ML Program forms
# The lowest opset of an operator, where it is not 1: GetMinSupportedOpSet of each builder.
MIN_OPSET = {"BatchNormalization": 7, "Pad": 11, "Reshape": 5, "Resize": 11, "Slice": 10, "Split": 13}
MIN_OPSET |= dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "Max"), 7)
MIN_OPSET |= dict.fromkeys(("Sigmoid", "Tanh", "Relu", "PRelu", "LeakyRelu", "Elu", "Softplus", "HardSigmoid"), 6)


def place(view: View, wanted: Wanted) -> Placement:
    """The predicted placement of a graph and, where the option asks for it, of its bodies."""
    placement = Placement()
    bodies = wanted.options.get("EnableOnSubgraphs") == "1"
    for body in view.all():
        if body is not view and not bodies:
            reason = f"it is inside a body of {body.owner}; EnableOnSubgraphs is off"
            placement.reasons |= {key(body, node): reason for node in body.nodes}
        else:
            _place(body, wanted, placement)
    return placement


def _place(view: View, wanted: Wanted, placement: Placement) -> None:
    program = wanted.options.get("ModelFormat") == "MLProgram"
    static = wanted.options.get("RequireStaticInputShapes") == "1"
    names = {name.partition(":")[2] for name in table(MLPROGRAM if program else NEURALNETWORK)}
    operators = names | {*ALSO, *NOT_IN_TABLE} if program else names
    refusals = {
        node.index: _refusal(Facts(node, view, program, wanted.runtime), operators, static) for node in view.nodes
    }

    def takes(unit: Unit, made: set[str]) -> bool:
        return not any(refusals[node.index] for node in unit.nodes)

    singles = [Unit(node, (), (), (node,)) for node in view.nodes]
    for piece in groups(view, singles, takes):
        nodes = [key(view, unit.node) for unit in piece]
        placement.groups.append(("coreml", nodes))
        placement.ep |= dict.fromkeys(nodes, "coreml")
    placement.reasons |= {key(view, node): refusals[node.index] for node in view.nodes if refusals[node.index]}


def _refusal(facts: Facts, operators: set[str], static: bool) -> str:
    """Why a node is left; base_op_builder.cc, IsOpSupported. The provider does not look at the domain."""
    node, op = facts.node, facts.node.op
    if op not in operators:
        return (
            f"Core ML's provider has no such operator in the {'MLProgram' if facts.program else 'NeuralNetwork'} format"
        )
    since = ADDED.get(op, (0, 0)) if facts.program else (0, 0)
    if facts.runtime < since:
        return f"ONNX Runtime takes it from {since[0]}.{since[1]} on, {'.'.join(map(str, facts.runtime))} must do here"
    if node.since < MIN_OPSET.get(op, 1):
        return f"needs opset {MIN_OPSET[op]} or later"
    for name in node.inputs:
        if name and (reason := _input(facts, name, static)):
            return reason
    return TYPES.get(op, _float)(facts) or RULES.get(op, _anything)(facts)


def _input(facts: Facts, name: str, static: bool) -> str:
    """helper.cc, IsInputSupported."""
    shape = facts.view.shape(name)
    if shape is None:
        return "the shape of an input is not known"
    if static and None in shape:
        return "the size of an input varies, and RequireStaticInputShapes is on"
    if facts.runtime < (1, 24) and any(size is not None and size > 16384 for size in shape):
        return "a size of an input is over 16384"
    if 0 in shape and facts.node.op != "Resize":
        return "an input has no elements"
    return f"an input has {len(shape)} dimensions, more than 5" if len(shape) > 5 else ""


def _float(facts: Facts) -> str:
    """base_op_builder.cc, IsInputDtypeSupport of the first input."""
    return facts.floating(0)


def _anything(facts: Facts) -> str:
    return ""
