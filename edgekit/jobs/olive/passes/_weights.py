"""The weights of a graph that is read without them: they stay in its file, mapped, until one is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import external_data_helper, helper, numpy_helper

_folder: ContextVar[Path | None] = ContextVar("_folder", default=None)


@contextmanager
def lie_in(folder: Path) -> Iterator[None]:
    """Within it, what graphs name as external data lies here."""
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


def array(tensor: onnx.TensorProto) -> np.ndarray[Any, Any]:
    """A tensor's values; of one in another file a read-only view of the mapped file."""
    if not external_data_helper.uses_external_data(tensor):
        return numpy_helper.to_array(tensor)
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
    return mapped(tensor).view(dtype).reshape(tuple(tensor.dims))


def mapped(tensor: onnx.TensorProto) -> np.ndarray[Any, Any]:
    """The bytes of a tensor that lies in another file, uint8 [size]."""
    folder: Path | None = _folder.get()
    place: Any = external_data_helper.ExternalDataInfo(tensor)
    if folder is None:
        raise ValueError(f"{tensor.name} lies in {place.location}, and nobody said where that is")
    if not place.length:
        return np.empty(0, np.uint8)
    return np.memmap(folder / place.location, np.uint8, "r", place.offset or 0, (place.length,))
