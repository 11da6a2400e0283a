"""An ONNX source, opened and run once before anything slow: in a child, for it may abort its process."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgekit import cache, console, tools
from edgekit.code import Basis
from edgekit.data import jsonable
from edgekit.errors import BuildError, SourceError
from edgekit.inputs import static
from edgekit.model import Tensor
from edgekit.sources.facts import doors, invalid, loadable, tied
from edgekit.sources.facts.onnx_graph import TYPES, parse
from edgekit.sources.source import Source

CHILD = "edgekit.inputs._trial"
BASIS = Basis((CHILD, "edgekit.jobs.warm", "edgekit.tools"), ("edgekit.sources._trial",), ("onnxruntime", "numpy"))
TIMEOUT = 1800.0  # seconds; a graph of gigabytes on a slow disk
OUTCOME = "outcome.json"
# What ONNX Runtime 1.20 to 1.32 says of an operator that it lacks, has not for this type, or not in this version.
MISSING = re.compile(r"Could not find an implementation for (?P<op>\w+)\((?P<version>\d+)\)")
UNKNOWN = re.compile(r"Fatal error: (?P<domain>[\w.]*):(?P<op>\w+)\(-?\d+\) is not a registered function/op")
TYPED = re.compile(r"Type '(?P<type>tensor\(\w+\))' of input parameter \([^)]*\) of operator \((?P<op>\w+)\)")
MACHINE = ("allocate memory", "bad_alloc", "bad allocation")  # in what is no fault of the model
FLOATS = ("bfloat16", "float8", "float4")
DOUBLE = 11  # TensorProto.DOUBLE; a constant of it may stand in any graph, a matrix of it not
FLOAT32 = "export it in float32 (or float16): edgekit quantizes from there"
AGAIN = "export it again with a current exporter, and see that it opens in onnxruntime"


def trial(source: Source) -> None:
    """Refuse an ONNX source that ONNX Runtime here cannot open, or has not every operator of; nothing for other forms.

    That it was taken is remembered with the file's digest, the inputs as they are described, and the engine.

    Raises:
        SourceError: which operator of which domain, or what the engine says, and what to give instead.
        BuildError: the child was killed by somebody, or had not the memory.
    """
    if source.form != "onnx":
        return
    proto = parse(source.path)
    tied.check(source.path, proto)
    doors.check(source.path, proto)
    del proto  # a small graph's weights lie in it
    inputs = {"inputs": [jsonable(tensor) for tensor in source.model.inputs]}
    key = {"source": source.model.sha256, **inputs, "basis": BASIS.key()}
    request = {"source": str(source.path.absolute()), "model": jsonable(source.model)}

    def make(folder: Path) -> Mapping[str, Any]:
        return _run(request, folder)

    entry = cache.produce("trial", key, make, what=source.model.name, read=[source.snapshot], basis=BASIS)
    outcome = json.loads((entry.path / OUTCOME).read_text(encoding="utf-8"))
    if outcome["said"]:
        console.detail(f"the source opens; it was not run: {outcome['said']}")


def _run(request: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """The child's outcome in `folder`; returns its account."""
    try:
        with console.step("trying the source"):
            outcome = tools.job(tools.module(CHILD), request, folder, timeout=TIMEOUT, what="ONNX Runtime")
    except BuildError as error:
        match error:
            case BuildError(killed="memory" | "somebody"):  # which says nothing of the model
                raise
        name = Path(str(request["source"])).name
        raise SourceError(
            f"{name} cannot be run here: {error.message}",
            next="export it again with a current exporter, and see that it runs in onnxruntime",
        ) from None
    for name in ("request.json", "log.txt"):
        (folder / name).unlink(missing_ok=True)
    if not outcome["opens"]:
        raise _refused(Path(str(request["source"])), outcome["said"])
    if outcome["described"] and not any(word in outcome["said"] for word in MACHINE):
        raise _described(Path(str(request["source"])).name, request["model"]["inputs"], outcome["said"])
    used: dict[str, Any] = outcome.pop("used")
    (folder / OUTCOME).write_text(json.dumps(outcome), encoding="utf-8")
    return used


def _refused(path: Path, said: str) -> SourceError:
    """What ONNX Runtime said, as the operator, its domain, and what to give instead."""
    kinds = sorted({TYPES[kind][0] for kind in _kinds(path) if kind in TYPES and TYPES[kind][0].startswith(FLOATS)})
    if any(tensor.data_type == DOUBLE and len(tensor.dims) > 1 for tensor in parse(path).graph.initializer):
        kinds = [*kinds, "float64"]
    of = f" of {', '.join(kinds)}" if kinds else ""
    if missing := MISSING.search(said) or TYPED.search(said):
        operator, domain = missing["op"], _domain(path, missing["op"])
        what = f"this CPU's ONNX Runtime has no {operator} (domain {domain!r}){of or ' for these types'}"
        instead = (
            FLOAT32 if kinds else f"export it without {operator}, or with types that onnxruntime's CPU provider takes"
        )
    elif unknown := UNKNOWN.search(said):
        what = f"ONNX Runtime has no {unknown['op']} (domain {unknown['domain'] or 'ai.onnx'!r})"
        instead = "export it with plain ONNX operators: edgekit's runtimes load no library of custom ones"
    elif newer := [problem.text for problem in loadable.check(path, _version()) if problem.axis in ("ir", "opset")]:
        what, instead = newer[0], invalid.OLDER
    else:
        lines = [line for line in said.splitlines() if line.strip()] or ["no reason given"]
        what, instead = f"ONNX Runtime cannot open it: {lines[0].strip()[:300]}", FLOAT32 if kinds else AGAIN
    return SourceError(f"{path.name}: {what}", next=instead)


def _described(name: str, inputs: Any, said: str) -> SourceError:
    """Card, --input-spec or the files beside a graph say how its inputs are made, and it does not take such inputs."""
    tensors = [Tensor.model_validate(tensor) for tensor in inputs]
    shapes = {tensor.name: static.said(tensor) for tensor in tensors if tensor.preprocess is not None}
    words = ", ".join(
        f"{input_} of {' x '.join('?' if side is None else str(side) for side in shape or ()) or 'a scalar'}"
        for input_, shape in shapes.items()
    )
    return SourceError(
        f"{name} does not take its inputs as they are described ({words}): {said}",
        next="say what it takes, by --input-spec or a card, or put the settings beside it right (the sizes first)",
    )


def _version() -> str:
    return version("onnxruntime").partition("+")[0]


def _domain(path: Path, operator: str) -> str:
    """The domain of the first node of this name."""
    nodes = parse(path).graph.node
    return next((node.domain for node in nodes if node.op_type == operator), "") or "ai.onnx"


def _kinds(path: Path) -> set[int]:
    """The element types of constants, of what Casts make, and of inputs and outputs."""
    graph = parse(path).graph
    kinds = {tensor.data_type for tensor in graph.initializer}
    kinds |= {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output, *graph.value_info)}
    return kinds | {
        attribute.i
        for node in graph.node
        if node.op_type == "Cast"
        for attribute in node.attribute
        if attribute.name == "to"
    }
