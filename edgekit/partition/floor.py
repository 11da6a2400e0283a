"""The runtime floor: whether the oldest ONNX Runtime that a target allows loads a graph, and what to do if not."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from edgekit import tools
from edgekit.data import Strict
from edgekit.ep._releases import Releases, numbers, releases
from edgekit.errors import BuildError
from edgekit.partition._graph import CHILD, TIMEOUT, read
from edgekit.sources.facts.onnx_graph import TYPES

CONTRIB = "com.microsoft"
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
    table, proto = releases(), read(model)
    row = table.of(version)
    found = []
    if proto.ir_version > row.ir:
        text = f"the graph has IR version {proto.ir_version}, ONNX Runtime {version} loads up to {row.ir}"
        found.append(Problem(axis="ir", text=text, needs=_first(table, "ir", proto.ir_version)))
    opset = _opset(proto)
    if opset > row.opset:
        text = f"the graph has opset {opset}, ONNX Runtime {version} loads up to {row.opset}"
        found.append(Problem(axis="opset", text=text, needs=_first(table, "opset", opset)))
    wanted = numbers(version)
    for problem in (*_types(proto, table), *_contrib(proto, table)):
        if problem.needs is None or numbers(problem.needs) > wanted[:2]:
            found.append(problem)
    return list({problem.text: problem for problem in found}.values())


def downgrade(model: Path, version: str) -> tuple[str, ...]:
    """Rewrite an .onnx file so that an older ONNX Runtime loads it, where that changes nothing of what it computes.

    The IR version is lowered to what the release loads. The opset is lowered without a change where every operator has
    the same form in both; else ONNX's own converter is asked, and the result kept only if both graphs give the same
    outputs for random inputs.

    Returns:
        What was changed, one line each; empty where nothing had to be.

    Raises:
        BuildError: it cannot be done safely; every problem that is left is named.
    """
    table = releases()
    row = table.of(version)
    hopeless = [one for one in check(model, version) if one.axis not in ("ir", "opset")]
    if hopeless:
        reasons = "; ".join(one.text for one in hopeless)
        raise BuildError(
            f"ONNX Runtime {version}, which the target allows, cannot load it: {reasons}",
            next="raise the floor of the runtime package in the target, or choose another recipe",
        )
    proto = read(model)
    changes = []
    opset = _opset(proto)
    if opset > row.opset:
        changes.append(_lower_opset(model, proto, opset, row.opset))
        proto = read(model)
    if proto.ir_version > row.ir:
        changes.append(f"IR version {proto.ir_version} lowered to {row.ir}")
        proto.ir_version = row.ir
        _write(model, proto)
    return tuple(changes)


def _lower_opset(model: Path, proto: Any, opset: int, target: int) -> str:
    changed = sorted({node.op_type for node in _nodes(proto) if _form(node, opset) != _form(node, target)})
    if not changed:
        for one in (*proto.opset_import, *(item for function in proto.functions for item in function.opset_import)):
            if one.domain in OWN:
                one.version = min(one.version, target)
        _write(model, proto)
        return f"opset {opset} lowered to {target}: every operator has the same form in both"
    if any(tensor.data_location == 1 for tensor in proto.graph.initializer):
        raise BuildError(
            f"{', '.join(changed)} changed between opset {target} and {opset}, and the weights lie in another file",
            next=f"export the model with opset {target}",
        )
    with tempfile.TemporaryDirectory(prefix="edgekit-floor-") as folder:
        out = Path(folder) / "lower.onnx"
        request = {"action": "convert", "model": str(model), "out": str(out), "opset": target}
        tools.job([*tools.python(), *CHILD], request, Path(folder), timeout=TIMEOUT, what="ONNX's version converter")
        _write(model, read(out))
    return f"opset {opset} converted to {target}: {', '.join(changed)} changed, outputs are the same"


def _write(model: Path, proto: Any) -> None:
    aside = model.with_name(f".{model.name}.part")
    aside.write_bytes(proto.SerializeToString())
    aside.replace(model)


def _first(table: Releases, key: str, value: int) -> str | None:
    """The first release that loads this IR version or opset."""
    return next((row.version for row in table.release if getattr(row, key) >= value), None)


def _opset(proto: Any) -> int:
    return max((one.version for one in proto.opset_import if one.domain in OWN), default=0)


def _bodies(proto: Any) -> Iterator[Any]:
    waiting = [proto.graph, *proto.functions]
    while waiting:
        body = waiting.pop()
        yield body
        for node in body.node:
            for one in node.attribute:
                waiting += [one.g] if one.HasField("g") else []
                waiting += one.graphs


def _nodes(proto: Any) -> Iterator[Any]:
    for body in _bodies(proto):
        yield from body.node


def _form(node: Any, opset: int) -> int:
    """The opset that brought the form of an operator which this one has; 0 for other domains and unknown operators."""
    return _since(node.op_type, opset) if node.domain in OWN else 0


@lru_cache(maxsize=4096)
def _since(op: str, opset: int) -> int:
    from onnx import defs

    try:
        return int(defs.get_schema(op, opset, "").since_version)
    except defs.SchemaError:
        return 0


def _types(proto: Any, table: Releases) -> Iterator[Problem]:
    """Element types of constants, inputs and outputs that not every release knows."""
    kinds: set[int] = set()
    for body in _bodies(proto):
        kinds |= {tensor.data_type for tensor in getattr(body, "initializer", ())}
        kinds |= {one.t.data_type for node in body.node for one in node.attribute if one.HasField("t")}
        values = (*getattr(body, "input", ()), *getattr(body, "output", ()))
        kinds |= {one.type.tensor_type.elem_type for one in values if not isinstance(one, str)}
    for name in sorted({TYPES[kind][0] for kind in kinds if kind in TYPES}):
        if since := table.dtypes.get(name):
            text = f"the graph has {name} values, which ONNX Runtime computes with from {since} on"
            yield Problem(axis="dtype", text=text, needs=since)


def _contrib(proto: Any, table: Releases) -> Iterator[Problem]:
    """com.microsoft operators, their attributes and their inputs that not every release knows."""
    for node in _nodes(proto):
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
