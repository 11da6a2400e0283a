"""Feeds: one array for each input of the model. Sequences of them that are read when they are needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import SourceError
from edgekit.model import Model, Tensor
from edgekit.wrappers.python import npz

Feed = dict[str, NDArray[Any]]
MAX_FEEDS = 8  # of check data
MAX_BYTES = 8 * 2**20  # of all of these together; the first is kept whatever its size


class LazyFeeds(Sequence[Feed]):
    """Feeds that are made one at a time, each time they are asked for; 800 pictures never lie in memory together."""

    def __init__(self, makers: Sequence[Callable[[], Feed]]) -> None:
        self._makers = makers

    @property
    def makers(self) -> Sequence[Callable[[], Feed]]:
        """What makes each feed."""
        return self._makers

    def __len__(self) -> int:
        return len(self._makers)

    @overload
    def __getitem__(self, index: int) -> Feed: ...
    @overload
    def __getitem__(self, index: slice) -> LazyFeeds: ...
    def __getitem__(self, index: int | slice) -> Feed | LazyFeeds:
        if isinstance(index, slice):
            return LazyFeeds(self._makers[index])
        return self._makers[index]()


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
        return npz.read(self.files[index])


def write_folder(folder: Path, feeds: Sequence[Feed]) -> None:
    """Write one .npz a feed into an existing folder, for FeedFolder to read in another process."""
    for index, feed in enumerate(feeds):
        npz.write(folder / f"{index:05}.npz", feed)


def check(feed: Mapping[str, NDArray[Any]], model: Model, where: str) -> None:
    """Compare a feed with the model's inputs.

    Raises:
        SourceError: a missing or unknown input, another dtype or shape, NaN or infinity; `where` names the file.
    """
    known = {one.name: one for one in model.inputs}
    if unknown := sorted(set(feed) - set(known)):
        raise SourceError(
            f"{where} holds {unknown[0]!r}, which is no input of the model",
            next=f"name the arrays as the inputs: {', '.join(known)}",
        )
    if absent := [name for name in known if name not in feed]:
        raise SourceError(
            f"{where} has nothing for the input {absent[0]!r}", next=f"it is {describe(known[absent[0]])}"
        )
    for name, array in feed.items():
        _check_array(array, known[name], where)


def describe(tensor: Tensor) -> str:
    """ "float32 [1, 3, height, width]"."""
    return f"{tensor.dtype} [{', '.join('?' if dim is None else str(dim) for dim in tensor.shape)}]"


def _check_array(array: NDArray[Any], tensor: Tensor, where: str) -> None:
    if str(array.dtype) != tensor.dtype:
        raise SourceError(
            f"{where}: {tensor.name!r} is {array.dtype}, the model takes {tensor.dtype}",
            next=f"save it as {describe(tensor)}",
        )
    sizes = zip(array.shape, tensor.shape, strict=False)
    if array.ndim != len(tensor.shape) or any(isinstance(dim, int) and have != dim for have, dim in sizes):
        raise SourceError(
            f"{where}: {tensor.name!r} has the shape {list(array.shape)}, which the model does not take",
            next=f"save it as {describe(tensor)}",
        )
    if array.size == 0:
        raise SourceError(f"{where}: {tensor.name!r} is empty", next=f"save it as {describe(tensor)}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise SourceError(f"{where}: {tensor.name!r} holds NaN or infinity", next="leave this file out, or correct it")


def named(feeds: Sequence[Feed]) -> npz.Arrays:
    """{"0.x": ..., "1.x": ...}: the first few feeds, of MAX_BYTES at most."""
    arrays: npz.Arrays = {}
    room = math.inf
    for at, feed in enumerate(feeds[:MAX_FEEDS]):
        size = sum(array.nbytes for array in feed.values())
        if size > room:
            break
        room = (MAX_BYTES if at == 0 else room) - size
        arrays |= {f"{at}.{name}": array for name, array in feed.items()}
    return arrays
