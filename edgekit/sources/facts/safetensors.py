"""safetensors headers, read strictly and without torch.

Layout (https://github.com/huggingface/safetensors#format): 8 bytes, little endian, the length of the header;
the header, a JSON object of name -> {dtype, shape, data_offsets}; then the data, which the tensors must fill
without gap or overlap.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import SourceError
from edgekit.sources.facts import foreign
from edgekit.sources.facts.files import AGAIN, read_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
HEADER_LIMIT = 10 << 20  # bytes; the format allows 100 MB, which JSON would turn into gigabytes of objects
FLOATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "uint16"}
PIECE = 16 << 20  # bytes that are copied at once
MAX_DIMS = 8
MAX_DIM = 1 << 48
BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64,
    "U32": 32, "U16": 16, "U8": 8, "BOOL": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "C64": 64, "F4": 4,
}  # fmt: skip
NUMPY = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "U8": "uint8",
    "I8": "int8",
}


@dataclass(frozen=True)
class Weight:
    """One tensor as its header describes it."""

    dtype: str
    shape: tuple[int, ...]
    nbytes: int


def read_folder(folder: Path) -> dict[str, Weight]:
    """Every tensor of a folder: of the shards its index names, else of its one file; none without either.

    Raises:
        SourceError: a missing shard, a tensor that its shard lacks, a header that lies.
    """
    index = folder / INDEX
    if not index.is_file():
        single = folder / SINGLE
        return read_header(single) if single.is_file() else {}
    placed = _placed(folder)
    weights: dict[str, Weight] = {}
    for shard in sorted(set(placed.values())):
        if not (folder / shard).is_file():
            raise SourceError(f"the shard {shard} is missing", next="get every file that " + INDEX + " names")
        header = read_header(folder / shard)
        missing = [name for name, where in placed.items() if where == shard and name not in header]
        if missing:
            raise SourceError(f"{shard} lacks the tensor {missing[0]!r} that the index promises", next=AGAIN)
        if unlisted := sorted(header.keys() - placed.keys()):
            raise SourceError(f"{shard} holds the tensor {unlisted[0]!r}, which {INDEX} does not name", next=AGAIN)
        if elsewhere := sorted(name for name in header if placed[name] != shard):
            other = placed[elsewhere[0]]
            raise SourceError(f"{shard} holds {elsewhere[0]!r}, which {INDEX} says lies in {other}", next=AGAIN)
        weights |= header
    return weights


def rows(folder: Path, name: str, count: int) -> NDArray[np.float32] | None:
    """At most `count` rows of a tensor, spread over it, as float32 [rows, ...]; None for another type than a float.

    A vector is one row.
    """
    import numpy as np

    shard = _placed(folder)[name] if (folder / INDEX).is_file() else SINGLE
    with (folder / shard).open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        entry = json.loads(stream.read(length))[name]
        width = FLOATS.get(entry["dtype"])
        shape = entry["shape"] if len(entry["shape"]) > 1 else [1, *entry["shape"]]
        if width is None or not prod(shape):
            return None
        size = prod(shape[1:]) * np.dtype(width).itemsize
        taken = []
        for row in np.unique(np.linspace(0, shape[0] - 1, min(count, shape[0])).astype(np.int64)):
            stream.seek(8 + length + entry["data_offsets"][0] + int(row) * size)
            taken.append(np.frombuffer(stream.read(size), width))
    values = np.stack(taken)
    if entry["dtype"] == "BF16":
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32)


def copy(path: Path, to: Path, renamed: Callable[[str], str | None]) -> int:
    """Some tensors of a file in a file of their own, byte for byte; none leave no file.

    Args:
        renamed: a tensor's new name, None where it is left out.

    Returns: how many tensors.

    Raises:
        SourceError: as read_header does.
    """
    read_header(path)
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(length))
        kept = [
            (*entry["data_offsets"], renamed(name), entry) for name, entry in header.items() if name != "__metadata__"
        ]
        kept = sorted((tensor for tensor in kept if tensor[2] is not None), key=lambda tensor: tensor[0])
        at, entries = 0, {}
        for begin, end, name, entry in kept:
            entries[name] = {**entry, "data_offsets": [at, at + end - begin]}
            at += end - begin
        if not entries:
            return 0
        raw = json.dumps({"__metadata__": {"format": "pt"}, **entries}).encode()
        raw += b" " * (-len(raw) % 8)
        with to.open("wb") as out:
            out.write(len(raw).to_bytes(8, "little") + raw)
            for begin, end, _, _ in kept:
                stream.seek(8 + length + begin)
                for start in range(begin, end, PIECE):
                    out.write(stream.read(min(PIECE, end - start)))
    return len(entries)


def shards(folder: Path) -> list[str]:
    """The files that the folder's index names, whether they are there or not; SourceError for one that is no index."""
    return sorted(set(_placed(folder).values()))


def _placed(folder: Path) -> dict[str, str]:
    """Tensor -> shard."""
    placed = read_json(folder / INDEX).get("weight_map")
    if not isinstance(placed, dict) or not placed:
        raise SourceError(f"{INDEX} has no weight_map", next=AGAIN)
    return {name: _plain(shard) for name, shard in placed.items()}


def _plain(name: Any) -> str:
    """A shard's file name: in the folder itself, never a path out of it."""
    if not isinstance(name, str) or not name or name != Path(name).name or "\\" in name or name in (".", ".."):
        raise SourceError(f"{INDEX} names a shard outside its folder: {str(name)[:80]!r}", next="do not use this model")
    return name


def read_header(path: Path) -> dict[str, Weight]:
    """The tensors of one file; their data is measured, not read.

    Raises:
        SourceError: not a safetensors file, cut off, or a header that contradicts itself or the file's size.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if size < 10 or length > size - 8:
                raise _bad(path, f"its header should have {length} bytes, the file has {size}")
            if length > HEADER_LIMIT:
                raise _bad(path, f"its header has {length >> 20} MB; {HEADER_LIMIT >> 20} MB is the limit")
            raw = stream.read(length)
    except OSError as error:
        raise SourceError(f"cannot read {path.name}: {error.strerror}", next="check the path and its rights") from None
    try:
        header = json.loads(raw, object_pairs_hook=_no_twins)
    except (ValueError, RecursionError) as error:
        raise _bad(path, f"its header is not readable: {str(error)[:80]}") from None
    if not isinstance(header, dict):
        raise _bad(path, "its header is no JSON object")
    entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    spans = {name: _span(path, name, entry) for name, entry in entries.items()}
    _filled(path, sorted((begin, end) for begin, end, _ in spans.values()), size - 8 - length)
    return {name: weight for name, (_, _, weight) in spans.items()}


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _span(path: Path, name: str, entry: Any) -> tuple[int, int, Weight]:
    shown = name[:80]
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _bad(path, f"the entry of {shown!r} is not dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise _bad(path, f"{shown!r} has the unknown type {str(dtype)[:20]!r}")
    if not _sizes(shape) or len(shape) > MAX_DIMS or not _sizes(offsets) or len(offsets) != 2:
        raise _bad(path, f"{shown!r} has an impossible shape or place")
    nbytes = prod(shape) * BITS[dtype] // 8
    if offsets[1] - offsets[0] != nbytes:
        raise _bad(path, f"{shown!r} of shape {shape} takes {nbytes} bytes, its place has {offsets[1] - offsets[0]}")
    return offsets[0], offsets[1], Weight(dtype, tuple(shape), nbytes)


def _sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(one) is int and 0 <= one <= MAX_DIM for one in value)


def _filled(path: Path, spans: list[tuple[int, int]], size: int) -> None:
    """The tensors lie one behind the other and fill the data, as the format demands."""
    at = 0
    for begin, end in spans:
        if begin != at:
            raise _bad(path, f"its tensors leave a gap or overlap at byte {at} of the data")
        at = end
    if at != size:
        raise _bad(path, f"its tensors need {at} bytes of data, the file has {size}")


def _bad(path: Path, what: str) -> SourceError:
    return foreign.instead(path, SourceError(f"{path.name} is damaged: {what}", next=AGAIN))
