"""A folder of feeds: one .npz file a call, one array per model input."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import SourceError

Feed = dict[str, NDArray[Any]]


class FeedFolder:
    """The .npz files of a folder in the order of their names, read one at a time; pickled arrays are refused."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted(folder.glob("*.npz"))
        if not self.files:
            raise SourceError(f"no .npz file in {folder.name}", next="give a folder with calibration data")

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[Feed]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Feed:
        if index >= len(self.files):
            raise IndexError(index)
        with np.load(self.files[index], allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
