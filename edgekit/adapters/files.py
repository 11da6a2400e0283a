"""An adapter in the form that ONNX Runtime maps: the values of a graph's inputs, by their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.adapters.graph import Place
from edgekit.sources.facts.adapter import Lora

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def write(path: Path, lora: Lora, places: Sequence[Place]) -> None:
    """Write an .onnx_adapter file; places that the adapter leaves alone keep the graph's default."""
    import onnxruntime

    values: dict[str, Any] = {}
    for place in places:
        if any(piece.module in lora.scales for piece in place.pieces):
            for which, array in zip("AB", _matrices(lora, place), strict=True):
                values[f"{place.prefix}.lora_{which}"] = onnxruntime.OrtValue.ortvalue_from_numpy(array)
    path.parent.mkdir(exist_ok=True)
    made = onnxruntime.AdapterFormat()
    made.set_adapter_version(1)
    made.set_model_version(1)
    made.set_parameters(values)
    made.export_adapter(str(path))


def _matrices(lora: Lora, place: Place) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
    """A^T [width, rank] and B^T [rank, rows] of a place: ranks of pieces one behind the other, B^T in blocks."""
    import numpy as np

    down, up, at = [], [], 0
    for piece in place.pieces:
        scale = lora.scales.get(piece.module)
        if scale is not None:
            a, b = lora.matrices(piece.module)
            block = np.zeros((len(a), place.rows), np.float32)
            block[:, at : at + piece.rows] = b[piece.first :][: piece.rows].T * np.float32(scale)
            down.append(a.T)
            up.append(block)
        at += piece.rows
    kind = np.float16 if place.half else np.float32
    return (
        np.ascontiguousarray(np.concatenate(down, axis=1), dtype=kind),
        np.ascontiguousarray(np.concatenate(up, axis=0), dtype=kind),
    )
