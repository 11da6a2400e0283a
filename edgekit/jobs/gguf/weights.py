"""Stream a GGUF's tensors into safetensors files, a few rows at a time.

safetensors format: 8 bytes little-endian header length, a JSON header, then the tensors' bytes back to back
(https://github.com/huggingface/safetensors). Its own writer wants all tensors in memory, which for a 14B
model in float32 is 59 GB; the header needs only names and shapes, so rows can follow one by one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from edgekit.errors import SourceError
from edgekit.jobs.gguf.file import Gguf, Tensor
from edgekit.jobs.gguf.types import TYPES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SHARD_BYTES = 5_000_000_000  # transformers' own limit for one file
CHUNK_BYTES = 16_000_000  # of float32 rows held at once
CODES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
PLAIN = {"F32": "<f4", "F16": "<f2"}  # GGUF type -> numpy's
ITEM_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True)
class Weight:
    """One tensor to write.

    Attributes:
        name: in the Hugging Face folder.
        heads: in how many its rows are interleaved; 0 is not at all.
        shift: what the file's values have too much.
    """

    name: str
    tensor: Tensor
    heads: int = 0
    shift: float = 0.0


def check_type(file: Gguf, tensor: Tensor) -> None:
    """Refuse a tensor whose quantization the gguf package cannot undo.

    Raises:
        SourceError: it cannot.
    """
    if not TYPES[tensor.type].readable:
        raise SourceError(
            f"{file.path.name}: tensors of type {tensor.type_name} cannot be read back",
            next="use the model's Hugging Face checkpoint, or a GGUF in another quantization",
        )


def dtype(file: Gguf, weights: list[Weight]) -> str:
    """The narrowest type that holds every dequantized value exactly.

    A block of Q4_1 is scale x integer + offset of float16 numbers: 15 and more significant bits, of which
    float16 keeps 11 and bfloat16 8. So anything quantized becomes float32: rounding it a second time would
    spoil the reference that the quality gate measures against (SmolLM2, KL: 2e-6 in float16, 7e-5 in
    bfloat16), and as transformers loads into float32 anyway, only disk is saved by it. A file whose matrices
    are all F16 or all BF16 keeps that type if its few F32 vectors (the norms) fit it too.
    """
    import numpy as np

    matrices = {weight.tensor.type_name for weight in weights if len(weight.tensor.shape) > 1}
    narrow = {"F16": "float16", "BF16": "bfloat16"}.get(next(iter(matrices))) if len(matrices) == 1 else None
    vectors = [weight for weight in weights if len(weight.tensor.shape) == 1]
    if narrow is None or {weight.tensor.type_name for weight in vectors} - {"F32", *matrices}:
        return "float32"
    for weight in vectors:
        for block in rows(file, weight):
            with np.errstate(over="ignore"):
                if not np.array_equal(_widened(block, narrow), block):
                    return "float32"
    return narrow


def _widened(block: npt.NDArray[np.float32], narrow: str) -> npt.NDArray[np.float32]:
    """`block` after a trip through the narrow type, bfloat16 by cutting the low half off."""
    import numpy as np

    if narrow == "float16":
        return block.astype(np.float16).astype(np.float32)
    return (block.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


def rows(file: Gguf, weight: Weight) -> Iterator[npt.NDArray[np.float32]]:
    """The tensor's rows in float32 and Hugging Face's order, as blocks [rows, columns]; a vector as [n]."""
    import numpy as np

    tensor = weight.tensor
    count = prod(tensor.shape[:-1])
    raw = np.memmap(file.path, np.uint8, "r", tensor.offset, (count, tensor.nbytes // count))
    order = _order(count, weight.heads)
    step = max(1, CHUNK_BYTES // (4 * tensor.shape[-1]))
    for start in range(0, count, step):
        chosen = np.ascontiguousarray(raw[order[start : start + step]])
        with np.errstate(all="ignore"):  # damaged scales; the result is looked at below
            block = _floats(chosen, tensor)
            block = block - np.float32(weight.shift) if weight.shift else block
        if not np.isfinite(block).all():
            raise file.bad(f"tensor {tensor.name!r} holds values that are not finite")
        yield block if len(tensor.shape) > 1 else block.reshape(-1)


def _floats(raw: npt.NDArray[np.uint8], tensor: Tensor) -> npt.NDArray[np.float32]:
    """Rows of bytes as numbers; what is no quantization needs no package that undoes one."""
    import numpy as np

    if tensor.type_name in PLAIN:
        return raw.view(PLAIN[tensor.type_name]).astype(np.float32, copy=False)
    from gguf import GGMLQuantizationType
    from gguf.quants import dequantize

    values: npt.NDArray[np.float32] = dequantize(raw, GGMLQuantizationType(tensor.type)).astype(np.float32, copy=False)
    return values


def _order(count: int, heads: int) -> npt.NDArray[np.int64]:
    """Row numbers that undo llama.cpp's interleaving of rotary pairs.

    Its converter reshapes the rows of q and k to [heads, 2, half] and swaps the last two; this goes back.
    Rows can be reordered before dequantizing: a block of any type lies within one row.
    """
    import numpy as np

    order = np.arange(count)
    return order.reshape(heads, -1, 2).swapaxes(1, 2).reshape(-1) if heads else order


def write(file: Gguf, weights: list[Weight], dtype: str, out: Path, on_event: Callable[[str], None]) -> list[str]:
    """Write the weights into `out`: one safetensors file, or shards and their index. Returns the names."""
    shards = _shards(weights, dtype)
    names = ["model.safetensors"]
    if len(shards) > 1:
        names = [f"model-{n:05d}-of-{len(shards):05d}.safetensors" for n in range(1, len(shards) + 1)]
    for name, shard in zip(names, shards, strict=True):
        on_event(f"writing {name}: {len(shard)} tensors in {dtype}")
        with (out / name).open("wb") as handle:
            _write_shard(file, shard, dtype, handle)
    if len(shards) == 1:
        return names
    index = {
        "metadata": {"total_size": sum(_bytes(weight, dtype) for weight in weights)},
        "weight_map": {weight.name: name for name, shard in zip(names, shards, strict=True) for weight in shard},
    }
    text = json.dumps(index, indent=2) + "\n"
    (out / "model.safetensors.index.json").write_text(text, encoding="utf-8", newline="\n")
    return [*names, "model.safetensors.index.json"]


def _bytes(weight: Weight, dtype: str) -> int:
    return prod(weight.tensor.shape) * ITEM_BYTES[dtype]


def _shards(weights: list[Weight], dtype: str) -> list[list[Weight]]:
    shards: list[list[Weight]] = [[]]
    held = 0
    for weight in weights:
        size = _bytes(weight, dtype)
        if shards[-1] and held + size > SHARD_BYTES:
            shards.append([])
            held = 0
        shards[-1].append(weight)
        held += size
    return shards


def _write_shard(file: Gguf, shard: list[Weight], dtype: str, handle: BinaryIO) -> None:
    import numpy as np

    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for weight in shard:
        start, end = end, end + _bytes(weight, dtype)
        header[weight.name] = {
            "dtype": CODES[dtype],
            "shape": weight.tensor.shape,
            "data_offsets": [start, end],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    handle.write(len(text).to_bytes(8, "little") + text)
    for weight in shard:
        for block in rows(file, weight):
            if dtype == "bfloat16":
                handle.write((block.view(np.uint32) >> np.uint32(16)).astype("<u2").tobytes())
            else:
                handle.write(block.astype("<f4" if dtype == "float32" else "<f2").tobytes())
