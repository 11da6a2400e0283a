"""What ONNX Runtime's DirectML provider takes: the operators of its published list, by opset and element type.

The list is dml_operators.toml, made from docs/OperatorKernels.md. The provider also leaves arithmetic on shapes to the
CPU (GetCpuPreferredNodes in core/framework/fallback_cpu_capability.cc): nodes that compute on results of Shape only.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from typing import Any

from edgekit import files
from edgekit.partition._place import Placement, Wanted, groups, key
from edgekit.partition._units import Unit
from edgekit.partition._view import Node, View

BASIS = "DirectML's operator list in docs/OperatorKernels.md of ONNX Runtime 1.21.0"
ON_CPU = ("Shape", "Size")  # their results are made on the CPU
CHEAP = ("int64", "int32", "bool")


def place(view: View, wanted: Wanted) -> Placement:
    """The predicted placement of a graph and of its bodies."""
    placement = Placement()
    for body in view.all():
        _place(body, placement)
    return placement


def _place(view: View, placement: Placement) -> None:
    shapes = _about_shapes(view)
    refusals = {node.index: _refusal(node, view) for node in view.nodes}
    for node in view.nodes:
        if not refusals[node.index] and node.index in shapes:
            refusals[node.index] = "it computes on shapes, which the provider leaves to the CPU"

    def takes(unit: Unit, made: set[str]) -> bool:
        return not refusals[unit.node.index]

    for piece in groups(view, [Unit(node, (), (), (node,)) for node in view.nodes], takes):
        nodes = [key(view, unit.node) for unit in piece]
        placement.groups.append(("dml", nodes))
        placement.ep |= dict.fromkeys(nodes, "dml")
    placement.reasons |= {key(view, node): refusals[node.index] for node in view.nodes if refusals[node.index]}


def _refusal(node: Node, view: View) -> str:
    """Why there is no kernel for a node: KernelRegistry's rule of versions, then the types of its inputs."""
    forms = operators().get(node.operator)
    if forms is None:
        return "DirectML's provider has no such operator"
    fitting = [form for form in forms if _covers(form["opset"], node.since)]
    if not fitting:
        return f"DirectML's provider has no kernel for its opset {node.since} form"
    reasons = [_types(node, view, form) for form in fitting]
    return "" if "" in reasons else reasons[0]


def _covers(opset: str, since: int) -> bool:
    """ "13+" is the form of opset 13 and no later one; "[6, 12]" is every form from 6 to 12."""
    if opset.endswith("+"):
        return int(opset[:-1]) == since
    low, _, high = opset.strip("[]").partition(",")
    return int(low) <= since <= int(high or low)


def _types(node: Node, view: View, form: dict[str, Any]) -> str:
    names, types = form["inputs"].split(), form["types"]
    for position, value in enumerate(node.inputs):
        variable = names[min(position, len(names) - 1)] if names else ""
        kind = view.dtype(value) if value else ""
        allowed = types.get(variable, "").split()
        if kind and allowed and _SHORT.get(kind, kind) not in allowed:
            return f"DirectML's kernel takes no {kind} there"
    return ""


_SHORT = {"float32": "float", "float64": "double", "str": "string"}


def _about_shapes(view: View) -> set[int]:
    """The nodes that read nothing but small integers that come from a Shape, and constants."""
    found: set[int] = set()
    for node in view.nodes:
        if node.op in ON_CPU:
            continue
        sources = [view.producer.get(name) for name in node.inputs if name and not view.is_constant(name)]
        small = all(view.dtype(name) in CHEAP for name in node.inputs if name and not view.is_constant(name))
        if (
            sources
            and small
            and all(source is not None and (source.op in ON_CPU or source.index in found) for source in sources)
        ):
            found.add(node.index)
    return found


@lru_cache(maxsize=1)
def operators() -> dict[str, list[dict[str, Any]]]:
    """Operator -> its forms: opset range, the type variable of each input, the types of each variable."""
    text = files.resource("partition/dml/operators.toml").read_text(encoding="utf-8")
    found: dict[str, list[dict[str, Any]]] = tomllib.loads(text)["operators"]
    return found
