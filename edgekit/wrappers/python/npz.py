"""Write .npz files whose bytes depend on the arrays only, and read them without unpickling.

numpy makes an array of the size that its header claims before it reads one byte of it, and unpacks whatever it is told:
`faults` says why it may not be given a file.
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = dict[str, Array]
MAX_ARRAYS = 10_000
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)  # what reading a damaged zip raises
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
    except (*_DAMAGED, KeyError, AttributeError) as error:
        raise ValueError(str(error)) from None


def faults(stream: BinaryIO) -> Iterator[str]:
    """Why numpy may not be given the file: its arrays are of the size it has and nothing is pickled; none is read."""
    try:
        with zipfile.ZipFile(stream) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ARRAYS:
                yield f"it has more than {MAX_ARRAYS} arrays"
                return
            for entry in entries:
                if why := _fault(archive, entry):
                    yield f"{entry.filename[:80]!r}: {why}"
    except (*_DAMAGED, ValueError, OSError, OverflowError) as error:
        yield f"it is no archive of arrays ({str(error)[:80]})"


def _fault(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> str:
    """Why numpy may not be given this array; "" when it may."""
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
        return "it is packed, which a bundle's arrays are not"
    with archive.open(entry) as stream:
        npy: Any = np.lib.format
        readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        version = npy.read_magic(stream)
        if version not in readers:
            return f"its format {version} is unknown"
        shape, _, dtype = readers[version](stream)
        if dtype.hasobject:
            return "it holds pickled objects"
        if dtype.itemsize * math.prod(shape) != entry.file_size - stream.tell():
            return "its size is not that of its data"
    return ""
