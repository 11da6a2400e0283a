"""Sizes that a graph and its description leave open, measured on the arrays of calibration data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgekit.errors import UsageError
from edgekit.inputs import arrays, calibration, static, streams
from edgekit.model import Model, Tensor, TextInput


def measured(model: Model, folder: Path | None) -> tuple[Model, tuple[str, ...]]:
    """The model with the sizes that nothing says taken from arrays of calibration data, and a line for each such input.

    Args:
        folder: of calibration data; what are no arrays says nothing here.

    Raises:
        UsageError: no such folder, or the arrays differ in a size that must be fixed.
        SourceError: a file that cannot be read.
    """
    form, files = calibration.listing(folder) if folder is not None else ("", [])
    if form != "array":
        return model, ()
    free = [tensor.name for tensor in streams.free(model)]
    shapes = {file.name: arrays.shapes(file, free) for file in files}
    sizes = {}
    for tensor in model.inputs:
        have = {file: stored[tensor.name] for file, stored in shapes.items() if tensor.name in stored}
        if tensor.name not in model.sizes and (shape := _measured(tensor, have)):
            sizes[tensor.name] = shape
    return model.model_copy(update={"sizes": {**model.sizes, **sizes}}), tuple(
        f"the sizes of the input {name!r} that the model leaves open are those of the calibration data, arrays of "
        f"{list(shape)}"
        for name, shape in sizes.items()
    )


def _measured(tensor: Tensor, shapes: Mapping[str, static.Shape]) -> static.Shape | None:
    """The tensor's whole shape; None where nothing is open, or where the arrays are not of its rank."""
    said = None if isinstance(tensor.preprocess, TextInput) else static.said(tensor)
    known = said if said is not None and len(said) == len(tensor.shape) else (None,) * len(tensor.shape)
    sizes = [dim if isinstance(dim, int) and dim > 0 else size for dim, size in zip(tensor.shape, known, strict=True)]
    if all(sizes) or not shapes or any(len(shape) != len(sizes) for shape in shapes.values()):
        return None
    return tuple(size or _common(tensor, at, shapes) for at, size in enumerate(sizes))


def _common(tensor: Tensor, at: int, shapes: Mapping[str, static.Shape]) -> int:
    """The size of all arrays in one dimension."""
    files = {shape[at]: file for file, shape in shapes.items()}
    if len(files) == 1:
        return next(iter(files))
    least, most = min(files), max(files)
    raise UsageError(
        f"the target needs static shapes, and the calibration data differs in dimension {at} "
        f"({tensor.shape[at] or 'unnamed'}) of the input {tensor.name!r}: {least} in {files[least]}, {most} in "
        f"{files[most]}",
        next="cut or pad all arrays to the one size that the app will give, or leave out those of another size",
    )
