"""What in a graph a release of ONNX Runtime does not load: versions, operators, attributes, inputs, element types."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from edgekit.data import Strict
from edgekit.ep._releases import Releases, numbers, releases
from edgekit.sources.facts.onnx_graph import TYPES, bodies, parse

CONTRIB, ML = "com.microsoft", "ai.onnx.ml"
OWN = ("", "ai.onnx")


class Problem(Strict):
    """One thing in a graph that a release of ONNX Runtime does not load; `needs` is the first that does, if known."""

    axis: Literal["ir", "opset", "operator", "attribute", "inputs", "dtype"]
    text: str
    needs: str | None = None


def check(model: Path, version: str) -> list[Problem]:
    """What in an .onnx file the given release of ONNX Runtime would refuse; empty where it loads.

    Raises:
        SourceError: the file cannot be read.
        UsageError: the version is none, or older than the table.
    """
    table, proto = releases(), parse(model)
    row = table.of(version)
    found = []
    if proto.ir_version > row.ir:
        text = f"the graph has IR version {proto.ir_version}, ONNX Runtime {version} loads up to {row.ir}"
        found.append(Problem(axis="ir", text=text, needs=_first(table, "ir", proto.ir_version)))
    opset = opset_of(proto)
    if opset > row.opset:
        text = f"the graph has opset {opset}, ONNX Runtime {version} loads up to {row.opset}"
        found.append(Problem(axis="opset", text=text, needs=_first(table, "opset", opset)))
    wanted = numbers(version)
    for problem in (*_types(proto, table), *_contrib(proto, table), *_domains(proto)):
        if problem.needs is None or numbers(problem.needs) > wanted[:2]:
            found.append(problem)
    return list({problem.text: problem for problem in found}.values())


def opset_of(proto: Any) -> int:
    """The version of ONNX's own operators that a graph is written in; 0 where it names none."""
    return max((one.version for one in proto.opset_import if one.domain in OWN), default=0)


def _first(table: Releases, key: str, value: int) -> str | None:
    """The first release that loads this IR version or opset."""
    return next((row.version for row in table.release if getattr(row, key) >= value), None)


def nodes_of(proto: Any) -> Iterator[Any]:
    """Every node of a model, those of subgraphs and functions among them."""
    for body in bodies(proto):
        yield from body.node


def _types(proto: Any, table: Releases) -> Iterator[Problem]:
    """Element types of constants, inputs and outputs that not every release knows."""
    kinds: set[int] = set()
    for body in bodies(proto):
        kinds |= {tensor.data_type for tensor in getattr(body, "initializer", ())}
        kinds |= {one.t.data_type for node in body.node for one in node.attribute if one.HasField("t")}
        values = (*getattr(body, "input", ()), *getattr(body, "output", ()))
        kinds |= {one.type.tensor_type.elem_type for one in values if not isinstance(one, str)}
    for name in sorted({TYPES[kind][0] for kind in kinds if kind in TYPES}):
        if since := table.dtypes.get(name):
            text = f"the graph has {name} values, which ONNX Runtime computes with from {since} on"
            yield Problem(axis="dtype", text=text, needs=since)


def _domains(proto: Any) -> Iterator[Problem]:
    """Operators that are of no release for every machine: a session's own layout (nchwc), a library's, a vendor's."""
    functions = {(function.domain, function.name) for function in proto.functions}
    for node in nodes_of(proto):
        if node.domain not in (*OWN, ML, CONTRIB) and (node.domain, node.op_type) not in functions:
            text = f"no release of ONNX Runtime has {node.domain}:{node.op_type} on every machine"
            yield Problem(axis="operator", text=text)


def _contrib(proto: Any, table: Releases) -> Iterator[Problem]:
    """com.microsoft operators, their attributes and their inputs that not every release knows."""
    for node in nodes_of(proto):
        if node.domain != CONTRIB:
            continue
        known = table.operators.get(f"{CONTRIB}:{node.op_type}")
        if known is None:
            yield Problem(axis="operator", text=f"no known release of ONNX Runtime has {CONTRIB}:{node.op_type}")
            continue
        yield Problem(axis="operator", text=f"{node.op_type} exists from {known.since} on", needs=known.since)
        for one in node.attribute:
            if since := known.attributes.get(one.name):
                text = f"{one.name} of {node.op_type} exists from {since} on"
                yield Problem(axis="attribute", text=text, needs=since)
        count = max((at + 1 for at, name in enumerate(node.input) if name), default=0)
        more = [since for size, since in sorted(known.more_inputs.items()) if count <= size]
        if count > known.inputs and more:
            yield Problem(
                axis="inputs", text=f"input {count} of {node.op_type} exists from {more[0]} on", needs=more[0]
            )
