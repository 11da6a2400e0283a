"""Which nodes end up together: ONNX Runtime's partitioning, and what a placement of nodes adds up to.

`groups` follows CreateSupportedPartitionNodeGroups in onnxruntime/core/providers/partitioning_utils.cc.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from edgekit.partition._units import Unit
from edgekit.partition._view import Node, View

Key = tuple[int, int]  # (id of the view, index of the node): nodes of bodies too


@dataclass(frozen=True)
class Wanted:
    """What a prediction is for.

    Attributes:
        options: of the provider.
        runtime: the version of ONNX Runtime that must do it, as numbers: (1, 24, 2).
        api_level: the oldest Android that must do it.
    """

    options: Mapping[str, str]
    runtime: tuple[int, ...]
    api_level: int


@dataclass
class Placement:
    """Where the nodes of a graph and of its bodies went.

    Attributes:
        ep: by node, the short name of its provider.
        groups: the pieces that one provider runs as one, by provider.
        reasons: why a node is not the wanted provider's.
        inserted: nodes that ONNX Runtime added, by provider.
    """

    ep: dict[Key, str] = field(default_factory=dict)
    groups: list[tuple[str, list[Key]]] = field(default_factory=list)
    reasons: dict[Key, str] = field(default_factory=dict)
    inserted: dict[str, int] = field(default_factory=dict)


def key(view: View, node: Node) -> Key:
    return id(view), node.index


def groups(view: View, units: Sequence[Unit], takes: Callable[[Unit, set[str]], bool]) -> list[list[Unit]]:
    """The units a provider takes, in as few pieces as the graph allows.

    Units are visited in topological order; those that are taken join the open piece, and a unit that is not taken
    but reads from it waits until that piece is closed.

    Args:
        units: of nodes of the graph; those that are in none are no border.
        takes: of a unit and the values that the open piece computes.
    """
    owner = {node.index: unit for unit in units for node in unit.nodes}
    edges: dict[int, list[Unit]] = {id(unit): [] for unit in units}
    waiting: dict[int, int] = {id(unit): 0 for unit in units}
    for unit in units:
        for reader in _readers(view, unit, owner):
            other = owner[reader.index]
            if other is not unit:
                edges[id(unit)].append(other)
                waiting[id(other)] += 1
    ready = deque(unit for unit in units if not waiting[id(unit)])
    later: deque[Unit] = deque()
    found: list[list[Unit]] = []
    piece: list[Unit] = []
    made: set[str] = set()
    border: set[int] = set()
    while ready or later:
        if not ready:
            found.append(piece)
            piece, made, border = [], set(), set()
            ready, later = later, deque()
            continue
        unit = ready.popleft()
        taken = takes(unit, made)
        if not taken and id(unit) in border:
            later.append(unit)
            continue
        if taken:
            piece.append(unit)
            made |= {name for node in unit.nodes for name in node.outputs}
            border.discard(id(unit))
        for other in edges[id(unit)]:
            if taken:
                border.add(id(other))
            waiting[id(other)] -= 1
            if not waiting[id(other)]:
                ready.append(other)
    found.append(piece)
    return [one for one in found if one]


def _readers(view: View, unit: Unit, owner: Mapping[int, Unit]) -> Iterator[Node]:
    """Who reads what a unit computes, once for each value; through nodes of no unit, which a session optimized away."""
    left = deque(unit.nodes)
    through: set[int] = set()
    while left:
        for name in left.popleft().outputs:
            for reader in view.consumers.get(name, ()) if name else ():
                if reader.index in owner:
                    yield reader
                elif reader.index not in through:
                    through.add(reader.index)
                    left.append(reader)


def round_trips(view: View, placement: Placement, ep: str) -> int:
    """How often in a row the data leaves the provider and comes back: the longest chain of pieces, less one."""
    piece = {at: number for number, (owner, nodes) in enumerate(placement.groups) if owner == ep for at in nodes}
    depth: dict[int, int] = {}  # by node: the most pieces of the provider on a way to it, its own included
    for node in view.nodes:
        mine = piece.get(key(view, node))
        before = 0
        for name in node.inputs:
            source = view.producer.get(name)
            if source is not None:
                theirs = piece.get(key(view, source))
                same = mine is not None and theirs == mine
                before = max(before, depth[source.index] - (1 if same else 0))
        depth[node.index] = before + (1 if mine is not None else 0)
    return max(max(depth.values(), default=0) - 1, 0)
