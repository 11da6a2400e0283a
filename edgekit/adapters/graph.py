"""The inputs that a graph gets for adapters, behind the projections that they change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import BuildError
from edgekit.sources.facts.adapter import Lora
from edgekit.sources.facts.onnx_graph import parse
from edgekit.sources.facts.safetensors import Weight

# As GenAI's builder and Olive's quantizers name the nodes of projections: /model/layers.0/attn/q_proj/MatMul_Q4.
NODE = re.compile(r"/model/layers\.(\d+)/(attn|mlp)/(\w+)/MatMul\w*")
PRODUCTS = ("MatMul", "MatMulNBits")
PARTS = {"attn": "self_attn", "mlp": "mlp"}
# Projections of graphs that are several of a checkpoint, one behind the other; and those that have another name there.
FUSED = {"qkv_proj": ("q_proj", "k_proj", "v_proj"), "gate_up_proj": ("gate_proj", "up_proj")}
RENAMED = {"o_proj": ("o_proj", "dense")}
IR = 4  # from here on an initializer that is an input too is its default


@dataclass(frozen=True)
class Piece:
    """Rows of a checkpoint's matrix in a projection of the graph, from `first` on."""

    module: str
    rows: int
    first: int = 0


@dataclass(frozen=True)
class Place:
    """A projection of the graph.

    Attributes:
        prefix: of the names of its two inputs, PREFIX.lora_A and PREFIX.lora_B.
        half: they are of float16, not float32.
        width: values that go in.
        pieces: what comes out, one behind the other.
    """

    prefix: str
    half: bool
    width: int
    pieces: tuple[Piece, ...]

    @property
    def rows(self) -> int:
        """Values that come out."""
        return sum(piece.rows for piece in self.pieces)


def open_up(built: Path, to: Path, loras: Sequence[Lora], base: Mapping[str, Weight]) -> list[Place]:
    """Write the graph with the inputs that these adapters need; its weights stay in the files they are in.

    Args:
        base: the weights of the checkpoint.

    Raises:
        BuildError: the graph has not every projection that they change.
    """
    proto = parse(built)
    wanted = {module for lora in loras for module in lora.scales}
    places = _open_up(proto, wanted, base)
    covered = {piece.module for place in places for piece in place.pieces}
    if missing := sorted(wanted - covered):
        raise BuildError(
            f"the built graph has no place for an adapter of {missing[0]}",
            next="put one adapter into the weights (--merge-adapter), or take another --recipe",
        )
    to.write_bytes(proto.SerializeToString(deterministic=True))
    return places


def _open_up(proto: Any, wanted: set[str], base: Mapping[str, Weight]) -> list[Place]:
    from onnx import TensorProto

    caches = {value.type.tensor_type.elem_type for value in proto.graph.input if value.name.startswith("past_")}
    half = caches == {TensorProto.FLOAT16}
    proto.ir_version = max(proto.ir_version, IR)
    places, nodes = [], []
    for node in proto.graph.node:
        nodes.append(node)
        match = NODE.fullmatch(node.name)
        pieces = _pieces(match, wanted, base) if match and node.op_type in PRODUCTS else ()
        if not pieces:
            continue
        prefix = f"model.layers.{match[1]}.{match[2]}.{match[3]}" if match else ""
        place = Place(prefix, half, base[f"{pieces[0].module}.weight"].shape[1], pieces)
        nodes += _added(proto.graph, node, place)
        places.append(place)
    kept = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del proto.graph.node[:]
    proto.graph.node.extend(kept)
    return places


def _pieces(match: re.Match[str], wanted: set[str], base: Mapping[str, Weight]) -> tuple[Piece, ...]:
    """What of the checkpoint a node computes, if an adapter changes any of it."""
    layer, part, name = match.groups()
    home = f"model.layers.{layer}.{PARTS[part]}"
    gates = f"{home}.gate_up_proj"
    if name in FUSED["gate_up_proj"] and gates in wanted:
        half = base[f"{gates}.weight"].shape[0] // 2
        return (Piece(gates, half, half * FUSED["gate_up_proj"].index(name)),)
    names = [f"{home}.{each}" for each in (*FUSED.get(name, ()), *RENAMED.get(name, (name,)))]
    if not wanted.intersection(names):
        return ()
    return tuple(Piece(module, base[f"{module}.weight"].shape[0]) for module in names if f"{module}.weight" in base)


def _added(graph: Any, node: Any, place: Place) -> Iterator[Any]:
    """Two products and a sum behind a node, which keep the name of its output."""
    from onnx import TensorProto, helper

    kind = TensorProto.FLOAT16 if place.half else TensorProto.FLOAT
    names = [f"{place.prefix}.lora_{which}" for which in "AB"]
    rank = f"{place.prefix}.rank"
    shapes: tuple[list[int | str], ...] = ([place.width, rank], [rank, place.rows])
    for name, dims in zip(names, shapes, strict=True):
        empty = [size if isinstance(size, int) else 0 for size in dims]
        graph.input.append(helper.make_tensor_value_info(name, kind, dims))
        graph.initializer.append(helper.make_tensor(name, kind, empty, b"", raw=True))
    output, between, change = node.output[0], f"{names[0]}/output_0", f"{names[1]}/output_0"
    node.output[0] = f"{output}/base"
    yield helper.make_node("MatMul", [node.input[0], names[0]], [between], name=f"{node.name}/lora_A")
    yield helper.make_node("MatMul", [between, names[1]], [change], name=f"{node.name}/lora_B")
    yield helper.make_node("Add", [node.output[0], change], [output], name=f"{node.name}/lora_Add")
