"""Arrays as inputs: .npz files with one array per input, .npy files for the one input that is not made otherwise."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import SourceError
from edgekit.wrappers.python import npz

SUFFIXES = frozenset({".npz", ".npy"})


def load(path: Path, free: list[str]) -> dict[str, NDArray[Any]]:
    """The arrays of a file by the names of the model's inputs; pickled ones are refused.

    Args:
        free: the inputs that have no fixed value and no state: a .npy file is the only one of them.
    """
    with _readable(path):
        if path.suffix.lower() == ".npz":
            return npz.read(path)
        array = np.load(path, allow_pickle=False)
    return {_only(path, free): array}


def shapes(path: Path, free: list[str]) -> dict[str, tuple[int, ...]]:
    """The shapes of a file's arrays by the names of the inputs, from their headers alone; `free` as for `load`."""
    with _readable(path):
        if path.suffix.lower() == ".npz":
            with zipfile.ZipFile(path) as archive:
                return {name.removesuffix(".npy"): _shape(archive.open(name)) for name in archive.namelist()}
        with path.open("rb") as stream:
            shape = _shape(stream)
    return {_only(path, free): shape}


def _shape(stream: IO[bytes]) -> tuple[int, ...]:
    npy: Any = np.lib.format
    read = npy.read_array_header_1_0 if npy.read_magic(stream) == (1, 0) else npy.read_array_header_2_0
    return tuple(read(stream)[0])


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        reason = (str(error).splitlines() or ["it is cut off"])[0][:120]
        if "pickle" in reason:  # numpy's words for Python's own objects, and for what is no array at all
            reason = "it holds no plain arrays"
        raise SourceError(f"{path.name} cannot be read: {reason}", next="save it again with numpy.savez") from None


def _only(path: Path, free: list[str]) -> str:
    if len(free) != 1:
        raise SourceError(
            f"{path.name} is one array, the model wants {len(free)}: {', '.join(free)}",
            next="save all of them into one .npz per call, named as the inputs",
        )
    return free[0]
