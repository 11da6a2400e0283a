"""What an .onnx file says of a detector: the names of its classes, its task, what its graph ends with, its pictures."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from edgekit.catalog.cards import Decode
from edgekit.inputs.layouts import Facts, recognized
from edgekit.model import Model
from edgekit.sources.facts import exporters
from edgekit.sources.facts.onnx_graph import parse
from edgekit.sources.source import Source

LONGEST = 2**17  # characters of a list of names
DEEPEST, MOST = 64, 32  # nodes between an output and what it is put together of, and how many those are
PASSING = frozenset({"Concat", "Transpose", "Reshape", "Identity", "Cast", "Squeeze", "Unsqueeze", "Flatten"})
SELECTING = frozenset({"TopK", "NonMaxSuppression"})


def described(source: Source, names: tuple[str, ...] = ()) -> Source:
    """The source with how its outputs are read, where it is a detector of a layout that is sure, and its pictures."""
    decode, _, names, said = _read(source.path, source.model, names)
    source = source if decode == "none" else replace(source, decode=decode, names=names)
    form, by = exporters.inferred(source.model, decode, said)
    if form is None:
        return source
    made = source.model.inputs[0].model_copy(update={"preprocess": form})
    return replace(source, model=source.model.model_copy(update={"inputs": (made,)}), inferred={made.name: by})


def layout(path: Path, model: Model, names: tuple[str, ...] = ()) -> tuple[Decode, str, tuple[str, ...]]:
    """The layout, why it is not sure, and the names of the classes: those given, else those that the file has."""
    return _read(path, model, names)[:3]


def _read(path: Path, model: Model, names: tuple[str, ...]) -> tuple[Decode, str, tuple[str, ...], dict[str, str]]:
    """The same, and the file's metadata; of a model whose outputs are no list of anything none of it."""
    if not any(len(tensor.shape) in (2, 3) for tensor in model.outputs):
        return "none", "", names, {}
    proto = parse(path)
    said = {str(pair.key): str(pair.value) for pair in proto.metadata_props}
    names = names or _names(said.get("names", ""))
    operators = {str(node.op_type) for node in proto.graph.node}
    facts = Facts(names, said.get("task", ""), _ends(proto.graph), bool(operators & SELECTING))
    return *recognized(model, facts), names, said


def _names(text: str) -> tuple[str, ...]:
    """As YOLO's exporters write them, a dict of number and name or a list; nothing of any other text."""
    if not 0 < len(text) <= LONGEST:
        return ()
    try:
        names = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return ()
    if isinstance(names, dict) and sorted(names, key=str) == sorted(range(len(names)), key=str):
        names = [names[at] for at in range(len(names))]
    return tuple(names) if isinstance(names, list) and all(isinstance(name, str) for name in names) else ()


def _ends(graph: Any) -> tuple[str, ...]:
    """The operators that the first output is put together of, left to right, behind what only moves values."""
    makers = {name: node for node in graph.node for name in node.output}
    return tuple(islice(_walk(makers, graph.output[0].name, DEEPEST), MOST)) if graph.output else ()


def _walk(makers: dict[str, Any], name: str, left: int) -> Iterator[str]:
    node = makers.get(name)
    if node is None or not left:
        yield ""
    elif node.op_type not in PASSING:
        yield str(node.op_type)
    else:
        for part in node.input if node.op_type == "Concat" else node.input[:1]:
            yield from _walk(makers, part, left - 1)
