"""Write .npz files whose bytes depend on the arrays only, and read them without unpickling."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = dict[str, Array]
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date of a zip archive


def write(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays in the order of their names, stored and undated."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asarray(arrays[name], order="C"), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data.getvalue())


def read(path: Path) -> Arrays:
    """Every array of a file.

    Raises:
        ValueError: pickled arrays, a damaged file, or one of another kind.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, AttributeError, NotImplementedError) as error:
        raise ValueError(str(error)) from None
