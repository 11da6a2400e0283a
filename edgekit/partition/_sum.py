"""What a placement adds up to: a Partition."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from edgekit.partition._cost import macs, weight_bytes
from edgekit.partition._graph import Shown
from edgekit.partition._place import Key, Placement, key, round_trips
from edgekit.partition._rewrites import rewrite
from edgekit.partition._view import Node, View
from edgekit.results.partition import Blocker, Partition

EXAMPLES = 3


def summed(graph: Shown, placement: Placement, ep: str, **facts: Any) -> Partition:
    """The counts of a placement: nodes, multiply-accumulates, weight bytes, pieces, and what stands in the way.

    Nodes that a measured session does not name (it optimized them away) are left out everywhere.
    """
    measured = facts["how"] == "measured"
    nodes = [
        (view, node)
        for view in graph.view.all()
        for node in view.nodes
        if not measured or key(view, node) in placement.ep
    ]
    sizes = {id(view): weight_bytes(view) for view in graph.view.all()}
    products = {key(view, node): macs(node, view) for view, node in nodes}
    weights = {key(view, node): sizes[id(view)][node.index] for view, node in nodes}
    known = all(count is not None for count in products.values())
    work, unit = _work(nodes, products, weights)
    taken = {at for at, owner in placement.ep.items() if owner == ep}
    by_ep = Counter(placement.ep.get(key(view, node), "cpu") for view, node in nodes)
    total = sum(work.values())
    return Partition(
        ep=ep,
        graph=graph.what,
        nodes=len(nodes),
        nodes_taken=by_ep[ep],
        work=unit,
        coverage=_share(sum(amount for at, amount in work.items() if at in taken), total),
        macs=sum(count or 0 for count in products.values()) if known else None,
        macs_taken=sum(products[at] or 0 for at in products if at in taken) if known else None,
        weight_bytes=sum(weights.values()),
        weight_bytes_taken=sum(size for at, size in weights.items() if at in taken),
        partitions=sum(owner == ep for owner, _ in placement.groups),
        round_trips=round_trips(graph.view, placement, ep),
        nodes_by_ep=dict(sorted(by_ep.items())),
        inserted=placement.inserted,
        blockers=_blockers(nodes, placement, ep, work, total),
        **facts,
    )


def _work(
    nodes: list[tuple[View, Node]], products: dict[Key, int | None], weights: dict[Key, int]
) -> tuple[dict[Key, int], Any]:
    """The work of each node, and what it is counted in: the best measure that every node has."""
    if all(count is not None for count in products.values()) and any(products.values()):
        return {at: count or 0 for at, count in products.items()}, "macs"
    if any(weights.values()):
        return weights, "bytes"
    return {key(view, node): 1 for view, node in nodes}, "nodes"


def _blockers(
    nodes: list[tuple[View, Node]], placement: Placement, ep: str, work: dict[Key, int], total: int
) -> tuple[Blocker, ...]:
    """The nodes that are left, together by operator and reason, most work first."""
    found: dict[tuple[str, str], list[tuple[View, Node]]] = defaultdict(list)
    for view, node in nodes:
        reason = placement.reasons.get(key(view, node))
        if reason and placement.ep.get(key(view, node), "cpu") != ep:
            found[node.operator, reason].append((view, node))
    blockers = [
        Blocker(
            operator=operator,
            reason=reason,
            nodes=len(members),
            share=_share(sum(work[key(view, node)] for view, node in members), total),
            rewrite=rewrite(operator, reason, ep),
            examples=tuple(node.name for _, node in members[:EXAMPLES]),
        )
        for (operator, reason), members in found.items()
    ]
    return tuple(sorted(blockers, key=lambda one: (-one.share, -one.nodes, one.operator, one.reason)))


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0
