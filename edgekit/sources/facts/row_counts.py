"""Outputs of which a graph itself says how many rows they have: boxes that it suppresses, places that are not zero."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.sources.facts import random_operators
from edgekit.sources.facts.onnx_graph import parse
from edgekit.wrappers.python import npz

# https://onnx.ai/onnx/operators: how large their outputs are is in no shape, it follows from values. A Loop too runs as
# often as values say.
COUNTING = frozenset({"NonMaxSuppression", "NonZero", "Unique", "Compress", "Loop"})
ROWS = "rows."  # begins the name of a golden that is the axis of an output's rows


def settled(model: Path, inputs: Path, goldens: Path) -> list[str]:
    """Keep of a file of goldens what can be held against another machine's answers, and say where rows are counted.

    Returns: the outputs that depend on random numbers, of which shapes are left at most.
    """
    drawn, answers = random_operators.outputs(model), npz.read(goldens)
    kept = random_operators.without(answers, model) if drawn else answers
    counted = {
        key: np.array([axis], dtype=np.int64)
        for key, axis in axes(model, answers, npz.read(inputs)).items()
        if key.removeprefix(ROWS) not in drawn
    }
    if drawn or counted:
        npz.write(goldens, {**kept, **counted})
    return drawn


def axes(path: Path, goldens: Mapping[str, NDArray[Any]], inputs: Mapping[str, NDArray[Any]]) -> dict[str, int]:
    """ "rows.NAME" -> the axis of each such output.

    What depends on an operator that counts, and has one axis of no stated size; or what answered inputs of one and the
    same shape with shapes that differ in one axis.

    Args:
        goldens: "shape.0.NAME" is the shape of the answer to input 0.
        inputs: of the same, "0.NAME".
    """
    graph = parse(path).graph
    known = {dim.dim_param for value in graph.input for dim in value.type.tensor_type.shape.dim} - {""}
    counted = set(random_operators.reached(path, lambda body, node: str(node.op_type) in COUNTING))
    by_name: dict[str, int] = {}
    for value in graph.output:
        dims = value.type.tensor_type.shape.dim
        loose = [at for at, dim in enumerate(dims) if dim.dim_value < 1 and dim.dim_param not in known]
        differing = _differing(value.name, goldens, inputs)
        if len(differing) == 1:
            by_name[ROWS + value.name] = differing.pop()
        elif not differing and value.name in counted and len(loose) == 1:
            by_name[ROWS + value.name] = loose[0]
    return by_name


def _differing(name: str, goldens: Mapping[str, NDArray[Any]], inputs: Mapping[str, NDArray[Any]]) -> set[int]:
    """The axes in which answers to inputs of one shape differ; -1 and 0 where their ranks do."""
    shapes: dict[str, set[tuple[int, ...]]] = defaultdict(set)
    for key, shape in goldens.items():
        at, _, output = key.removeprefix(random_operators.SHAPE).partition(".")
        if key.startswith(random_operators.SHAPE) and output == name:
            asked = sorted((other, np.shape(array)) for other, array in inputs.items() if other.startswith(f"{at}."))
            shapes[str([(other.partition(".")[2], sizes) for other, sizes in asked])].add(tuple(map(int, shape)))
    differing: set[int] = set()
    for alike in shapes.values():
        if len({len(shape) for shape in alike}) > 1:
            return {-1, 0}
        differing |= {at for at, sizes in enumerate(zip(*alike, strict=True)) if len(set(sizes)) > 1}
    return differing
