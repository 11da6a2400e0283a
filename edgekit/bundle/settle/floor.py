"""The runtime floor: whether the oldest ONNX Runtime that a target allows loads a graph, and what to do if not."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from edgekit import scratch, tools
from edgekit.bundle.stage import copy
from edgekit.ep._releases import releases
from edgekit.errors import BuildError
from edgekit.sources.facts.loadable import OWN, check, nodes_of, opset_of
from edgekit.sources.facts.onnx_graph import parse
from edgekit.target import Target

CHILD = "edgekit.jobs.opset"
TIMEOUT = 300.0  # seconds


def settle(built: Path, own: Path, target: Target, kind: str) -> tuple[str, ...]:
    """Make a built graph loadable by the target's oldest runtime; a changed one is written into the folder `own`.

    Returns: what was changed, one line each; empty where the graph may stay as it is, or there is none of this name.

    Raises:
        BuildError: it is not, and cannot be made so without changing what it computes.
    """
    oldest = target.engine_floor(kind)
    if oldest is None or not built.is_file() or not check(built, oldest):
        return ()
    graph = own / built.name
    copy(built, graph)
    changes = downgrade(graph, oldest)
    if problems := check(graph, oldest):
        need = f"; ONNX Runtime {problems[0].needs} loads it" if problems[0].needs else ""
        raise BuildError(
            f"{target.name} allows ONNX Runtime {oldest}, which cannot load this: {problems[0].text}{need}",
            next="raise the floor in a target of your own (edgekit targets new), or take another recipe",
        )
    return changes


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
    proto = parse(model)
    changes = []
    opset = opset_of(proto)
    if opset > row.opset:
        changes.append(_lower_opset(model, proto, opset, row.opset))
        proto = parse(model)
    if proto.ir_version > row.ir:
        changes.append(f"IR version {proto.ir_version} lowered to {row.ir}")
        proto.ir_version = row.ir
        _write(model, proto)
    return tuple(changes)


def _lower_opset(model: Path, proto: Any, opset: int, target: int) -> str:
    changed = sorted({node.op_type for node in nodes_of(proto) if _form(node, opset) != _form(node, target)})
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
        request = {"model": str(model.absolute()), "out": str(out), "opset": target}
        tools.job(tools.module(CHILD), request, Path(folder), timeout=TIMEOUT, what="ONNX's version converter")
        _write(model, parse(out))
    return f"opset {opset} converted to {target}: {', '.join(changed)} changed, outputs are the same"


def _write(model: Path, proto: Any) -> None:
    with scratch.beside(model) as new:
        new.write_bytes(proto.SerializeToString())


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
