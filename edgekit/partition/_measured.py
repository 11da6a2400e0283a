"""From what a session reports to a placement of the graph's nodes."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from edgekit import ep as providers
from edgekit.partition._graph import Shown
from edgekit.partition._place import Key, Placement, key
from edgekit.partition._view import Node, View

# What ONNX Runtime appends to the name of a node that it moves to another layout.
_TOKEN = re.compile(r"_token_\d+$")


def request(graph: Shown, ep: str, options: dict[str, str], model: Path, folder: Path) -> dict[str, Any]:
    """The child's request: the graph with a name for every node, so that the session's answers can be told apart."""
    proto = graph.view.model
    named = type(proto)()
    named.CopyFrom(proto)
    _name(named.graph, "")
    path = folder / "named.onnx"
    path.write_bytes(named.SerializeToString())
    return {
        "action": "place",
        "model": str(path),
        "weights": str(model.parent.resolve()),
        "ep": ep,
        "ep_options": options,
        "folder": str(folder),
    }


def _name(graph: Any, prefix: str) -> None:
    for index, node in enumerate(graph.node):
        node.name = _label(prefix, index)
        for number, body in enumerate(_bodies(node)):
            _name(body, f"{node.name}b{number}")


def _bodies(node: Any) -> list[Any]:
    return [
        body
        for attribute in node.attribute
        for body in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs)
    ]


def _label(prefix: str, index: int) -> str:
    return f"{prefix}n{index}"


def _labels(view: View, prefix: str) -> dict[str, tuple[View, Node]]:
    """Every node of a graph and of its bodies by the name that `request` gave it."""
    found: dict[str, tuple[View, Node]] = {}
    inner = iter(view.inner)
    for node in view.nodes:
        label = _label(prefix, node.index)
        found[label] = (view, node)
        for number, _ in enumerate(node.subgraphs()):
            found |= _labels(next(inner), f"{label}b{number}")
    return found


def placement(view: View, ep: str, outcome: dict[str, Any]) -> Placement:
    """Who runs what, as the session reports it; nodes that it does not name were optimized away and are not counted.

    A compiler's piece is one group; kernels of one provider that follow each other without another's between them are
    one too, so that "pieces" means the same for both.
    """
    short = {providers.provider(name): name for name in providers.names()}
    labels = _labels(view, "")
    result = Placement()
    inserted: Counter[str] = Counter()
    compiled = outcome["kernels"] is None and ep != "cpu"
    for group in outcome["groups"]:
        owner = short.get(group["ep"], group["ep"])
        mine: list[Key] = []
        for name, _, _ in group["nodes"]:
            found = labels.get(_TOKEN.sub("", name))
            if found is None:
                inserted[owner] += 1
            else:
                mine.append(key(*found))
        result.ep |= dict.fromkeys(mine, owner)
        if compiled and owner == ep and mine:
            result.groups.append((owner, mine))
    if not compiled:
        result.groups = _joined(view, ep, result)
    result.inserted = dict(inserted)
    result.reasons = _reasons(labels, ep, outcome, result)
    return result


def _joined(view: View, ep: str, placed: Placement) -> list[tuple[str, list[Key]]]:
    """Kernels of one provider, as few pieces as nodes of others between them allow."""
    from edgekit.partition._place import groups
    from edgekit.partition._units import Unit

    found = []
    for body in view.all():
        units = [Unit(node, (), (), (node,)) for node in body.nodes if key(body, node) in placed.ep]

        def takes(unit: Unit, made: set[str], body: View = body) -> bool:
            return placed.ep[key(body, unit.node)] == ep

        found += [(ep, [key(body, unit.node) for unit in piece]) for piece in groups(body, units, takes)]
    return found


def _reasons(
    labels: dict[str, tuple[View, Node]], ep: str, outcome: dict[str, Any], placed: Placement
) -> dict[Key, str]:
    """Why a node is not the provider's: in its own words, or by the kernels it has."""
    said = {_TOKEN.sub("", name): reason for name, reason in outcome["reasons"].items()}
    kernels = outcome["kernels"]
    found = {}
    for label, (view, node) in labels.items():
        if placed.ep.get(key(view, node), ep) == ep:
            continue
        if label in said:
            reason = _plain(said[label], label)
        elif kernels is not None and node.operator not in kernels:
            reason = "the provider has no kernel for it"
        else:
            reason = "the provider left it: no kernel for its types, or it computes on shapes"
        found[key(view, node)] = reason
    return found


def _plain(reason: str, label: str) -> str:
    """A provider's sentence without the name that only we gave the node."""
    first = reason.split(f"node `{label}`")[0].strip() if f"node `{label}`" in reason else reason
    sentence = re.split(r"(?<=[.!])\s*(?=[A-Z])", first.strip())[0]
    return sentence[:200].rstrip(".")
