"""Operators that draw random numbers: which a graph has, which of its outputs depend on them, and their seeds.

Two sessions of one process draw the same noise where no seed is given, another process draws other noise: a comparison
of such outputs says nothing of a model unless both draws are seeded alike, and no golden of them can be kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from edgekit.sources.facts.onnx_graph import bodies, parse

# https://onnx.ai/onnx/operators: each takes a seed. Dropout draws where its third input says that it trains.
ALWAYS = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}
)
DROPOUT = "Dropout"
DOMAINS = ("", "ai.onnx")
SEED = 20261129
SHAPE = "shape."  # begins the name of a golden's shape


def named(path: Path) -> str:
    """The random operators of a file in words: "RandomNormalLike, 2 Dropout that train"; "" where there is none."""
    proto = parse(path)
    counts = Counter(str(node.op_type) for node in _drawing(proto))
    return ", ".join(
        f"{count if count > 1 else ''} {name}{' in training mode' if name == DROPOUT else ''}".strip()
        for name, count in sorted(counts.items())
    )


def outputs(path: Path) -> list[str]:
    """The graph's outputs that depend on a random number, at whatever distance."""
    return reached(path, _is_random)


def reached(path: Path, asked: Callable[[Any, Any], bool]) -> list[str]:
    """The graph's outputs that depend on what is asked for, at whatever distance.

    Args:
        asked: of a graph or function, and a node of it.
    """
    proto = parse(path)
    functions = {(body.domain, body.name): body for body in proto.functions}

    def draws(body: Any, node: Any) -> bool:
        within = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
        within += [graph for attribute in node.attribute for graph in attribute.graphs]
        called = functions.get((node.domain, node.op_type))
        within += [called] if called is not None else []
        return asked(body, node) or any(draws(inner, deeper) for inner in within for deeper in inner.node)

    names: set[str] = set()
    for node in proto.graph.node:  # in the order in which they run: the ONNX checker refuses any other
        if draws(proto.graph, node) or names & reads(node):
            names |= set(node.output)
    return [output.name for output in proto.graph.output if output.name in names]


def without(goldens: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Goldens ("0.NAME" and "shape.0.NAME" of input 0) without the values of outputs that depend on random numbers.

    Their shapes stay where no random number can change them: every size is fixed, or one of the inputs'. A voice that
    draws how long its sounds last answers another length each time.
    """
    drawn = outputs(path)
    graph = parse(path).graph
    known = {dim.dim_param for value in graph.input for dim in value.type.tensor_type.shape.dim} - {""}
    loose = {
        value.name
        for value in graph.output
        if not value.type.tensor_type.HasField("shape")
        or any(dim.dim_value < 1 and dim.dim_param not in known for dim in value.type.tensor_type.shape.dim)
    }

    def stays(key: str) -> bool:
        at, _, name = key.removeprefix(SHAPE).partition(".")
        return not at.isdigit() or name not in drawn or (key.startswith(SHAPE) and name not in loose)

    return {key: array for key, array in goldens.items() if stays(key)}


def seeded(proto: Any, turn: int = 0) -> list[str]:
    """Give every random operator of a model a seed of its own, by its place among those of its kind; others each turn.

    Returns: the operators, in the order of the graph. Two models with the same list draw the same numbers, call by
    call, as far as the shapes are the same.
    """
    from onnx import helper

    order: list[str] = []
    for node in _drawing(proto):
        seed = SEED % 10_000 + 101 * len(order) + 10_007 * turn
        kept = [attribute for attribute in node.attribute if attribute.name != "seed"]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute("seed", seed if node.op_type == DROPOUT else float(seed))])
        order.append(node.op_type)
    return order


def _drawing(proto: Any) -> Iterator[Any]:
    """Each random operator, of the graph, its subgraphs and functions."""
    return (node for body in bodies(proto) for node in body.node if _is_random(body, node))


def _is_random(body: Any, node: Any) -> bool:
    dropping = node.op_type == DROPOUT and _trains(body, node)
    return node.domain in DOMAINS and (node.op_type in ALWAYS or dropping)


def _trains(body: Any, node: Any) -> bool:
    """Whether this Dropout drops: its third input is there and is not known to be false."""
    from onnx import numpy_helper

    if len(node.input) < 3 or not node.input[2]:
        return False
    known = {tensor.name: tensor for tensor in getattr(body, "initializer", ())}
    for other in body.node:
        if other.op_type == "Constant" and other.output:
            known |= {name: part.t for part in other.attribute if part.HasField("t") for name in other.output}
    mode = known.get(node.input[2])
    return mode is None or bool(numpy_helper.to_array(mode).any())


def reads(node: Any) -> set[str]:
    """What a node reads, its subgraphs included."""
    names = set(node.input)
    for attribute in node.attribute:
        for graph in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
            for inner in graph.node:
                names |= reads(inner)
            names |= {output.name for output in graph.output}
    return names - {""}
