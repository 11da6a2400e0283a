"""What goes into a graph and comes out of it must be arrays that every runtime has: told from the file alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit.errors import SourceError
from edgekit.sources.facts import random_operators
from edgekit.sources.facts.onnx_graph import TYPES, parse

NUMBERS = frozenset(
    (
        "bool",
        *(f"float{bits}" for bits in (16, 32, 64)),
        *(f"{sign}int{8 << at}" for sign in ("", "u") for at in range(4)),
    )
)
TEXT = "str"
NEXT = {
    TEXT: "cut the operators that read text out of the graph (onnx.utils.extract_model), and let the app make its "
    "numbers: ids, counts or features",
    "bfloat16": "export it with float32 or float16 inputs and outputs; a Cast inside may go on in bfloat16",
}
OTHER = "put a Cast inside the graph, and give it float32 or integers of 8 bits and more"


def check(path: Path, proto: Any = None) -> None:
    """Refuse a graph that nobody can feed, or whose answer nobody can read.

    Args:
        proto: what the file holds, where it is parsed already.

    Raises:
        SourceError: an input or output of an element type that NumPy or edgekit's runtimes lack, an input of size
            size zero, no input at all, or none that an output depends on.
    """
    graph = (proto or parse(path)).graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if not inputs:
        raise SourceError(
            f"{path.name} has no input: its answer is always the same",
            next="export it with its inputs (the checkpoint's tracing made constants of them)",
        )
    for value in inputs:
        _check_type(path, "input", value, NUMBERS)
        sizes = value.type.tensor_type.shape.dim
        if any(dim.WhichOneof("value") == "dim_value" and dim.dim_value == 0 for dim in sizes):
            raise SourceError(
                f"{path.name}: its input {value.name!r} has a size of zero: only an empty array can be fed to it",
                next="export it with that size open (a dynamic axis), or without the input",
            )
    if not _answers(graph, {value.name for value in inputs}):
        raise SourceError(
            f"{path.name}: no output depends on an input: its answer is always the same",
            next="export it again: tracing made constants of what its inputs decide",
        )
    for value in graph.output:
        _check_type(path, "output", value, NUMBERS | {TEXT})


def _answers(graph: Any, names: set[str]) -> bool:
    """Whether an output is one of these names, or depends on one, or on what is drawn or called."""
    for node in graph.node:
        if names & random_operators.reads(node) or (not node.input and node.op_type != "Constant"):
            names = names | set(node.output)
    return any(value.name in names for value in graph.output)


def _check_type(path: Path, what: str, value: Any, known: frozenset[str]) -> None:
    dtype = TYPES[value.type.tensor_type.elem_type][0]
    if dtype not in known:
        shown = "text (string)" if dtype == TEXT else dtype
        raise SourceError(
            f"{path.name}: its {what} {value.name!r} is {shown}, which edgekit's runtimes cannot pass",
            next=NEXT.get(dtype, OTHER),
        )
