"""The rotary tables of a graph, and how far each is from the one that a configuration asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS = 4096  # compared: beyond, float32 angles are off by more than the limit
STEP = 61  # positions between two that are compared, beside the first ones
TABLE = re.compile(r"(^|/)(cos|sin)_cache")
OTHER = 2.0  # the difference of tables that do not even have one shape: the largest that two cosines have


def read(path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """The rotary tables [positions, rotary dimensions / 2] of a graph, constants of its branches among them."""
    import onnx
    from onnx import numpy_helper

    waiting = [onnx.load(str(path), load_external_data=False).graph]
    while waiting:
        graph = waiting.pop()
        for tensor in graph.initializer:
            if TABLE.search(tensor.name):
                yield tensor.name, numpy_helper.to_array(tensor, base_dir=str(path.parent))
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    waiting.append(attribute.g)
                if node.op_type == "Constant" and attribute.name == "value" and TABLE.search(node.output[0]):
                    yield node.output[0], numpy_helper.to_array(attribute.t, base_dir=str(path.parent))


def error(
    name: str, values: NDArray[Any], expected: dict[str, tuple[NDArray[np.float64], float]], border: int
) -> float:
    """How far a table is from the nearest of those that it may be: with short and long factors, by its name."""
    table = np.asarray(values, np.float64).reshape(-1, values.shape[-1])
    wave = np.sin if "sin_cache" in name else np.cos
    if "short" not in expected:
        return min(_difference(table, wave, *waves) for waves in expected.values())
    short = _difference(table[:border], wave, *expected["short"])
    long = _difference(table, wave, *expected["long"])
    behind = max(short, _difference(table[border:], wave, *expected["long"])) if len(table) > border else short
    if "large" in name:
        return long
    return short if "small" in name else min(short if len(table) <= border else long, behind)


def _difference(table: NDArray[np.float64], wave: Any, inverse: NDArray[np.float64], magnitude: float) -> float:
    if table.shape[-1] != len(inverse) or not len(table):
        return OTHER
    rows = np.unique(np.concatenate([np.arange(min(len(table), 16)), np.arange(0, min(len(table), ROWS), STEP)]))
    return float(np.abs(table[rows] - wave(rows[:, None] * inverse) * magnitude).max())
