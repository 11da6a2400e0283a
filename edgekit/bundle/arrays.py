"""Whether an .npz file of a bundle is what numpy may be given: arrays of the size the file has, and no pickles.

numpy makes an array of the size that its header claims before it reads one byte of it, and unpacks whatever it is told.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from edgekit.bundle.files import DAMAGED, Problem

MAX_ARRAYS = 10_000


def unsafe(stream: BinaryIO, path: str) -> Iterator[Problem]:
    """What is wrong with the .npz file at `path`; its arrays are looked at, not read."""
    try:
        with zipfile.ZipFile(stream) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ARRAYS:
                yield Problem(path, "unsafe", f"it has more than {MAX_ARRAYS} arrays")
                return
            for entry in entries:
                if why := _why_unsafe(archive, entry):
                    yield Problem(path, "unsafe", f"{entry.filename[:80]!r}: {why}")
    except (*DAMAGED, ValueError, OSError, OverflowError) as error:
        yield Problem(path, "unsafe", f"it is no archive of arrays ({str(error)[:80]})")


def _why_unsafe(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> str:
    """Why numpy may not be given this array; "" when it may."""
    from numpy.lib import format as npy

    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
        return "it is packed, which a bundle's arrays are not"
    with archive.open(entry) as stream:
        readers: dict[tuple[int, int], Any] = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        version = npy.read_magic(stream)
        if version not in readers:
            return f"its format {version} is unknown"
        shape, _, dtype = readers[version](stream)
        if dtype.hasobject:
            return "it holds pickled objects"
        if dtype.itemsize * math.prod(shape) != entry.file_size - stream.tell():
            return "its size is not that of its data"
    return ""
