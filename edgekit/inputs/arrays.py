"""Arrays as inputs: .npz files with one array per input, .npy files for the one input that is not made otherwise."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

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
    try:
        if path.suffix.lower() == ".npz":
            return npz.read(path)
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        reason = (str(error).splitlines() or ["it is cut off"])[0][:120]
        raise SourceError(f"{path.name} cannot be read: {reason}", next="save it again with numpy.savez") from None
    if len(free) != 1:
        raise SourceError(
            f"{path.name} is one array, the model wants {len(free)}: {', '.join(free)}",
            next="save all of them into one .npz per call, named as the inputs",
        )
    return {free[0]: array}
