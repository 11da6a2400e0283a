"""Read a GGUF file's header strictly: nothing is believed before it fits into the file.

Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little endian).
The `gguf` package's own reader loops and allocates by the numbers written in the file; a damaged download can
take all memory there. Here every count and every length is compared with the bytes that are left first, so a
bad file is refused in milliseconds with one line.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TypeVar

from edgekit.errors import SourceError
from edgekit.jobs.gguf.types import TYPES

T = TypeVar("T")
Value = int | float | bool | str | list[int] | list[float] | list[bool] | list[str]

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_DIMS = 4  # GGML_MAX_DIMS
MAX_NAME = 128  # characters; llama.cpp allows 64, and an error message must stay one readable line
MAX_ELEMENTS = 1 << 23  # of one array; the largest vocabularies have 2^18 tokens and twice as many merges
STRING, ARRAY = 8, 9
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
# The shortest entries, in bytes: an empty key, a type, one byte; an empty name, no dims, a type, an offset.
MIN_PAIR, MIN_TENSOR = 8 + 4 + 1, 8 + 4 + 4 + 8

CHECKPOINT = "use the model's Hugging Face checkpoint as source instead"
DAMAGED = "the file is damaged or half downloaded: get it again and compare its sha256 with the publisher's"


@dataclass(frozen=True)
class Tensor:
    """Where one tensor lies. `shape` is rows first, as in torch: GGUF writes dims the other way round."""

    name: str
    shape: tuple[int, ...]
    type: int  # GGMLQuantizationType
    type_name: str  # "F32", "Q4_K"
    offset: int  # bytes from the start of the file
    nbytes: int


@dataclass(frozen=True)
class Gguf:
    """The header of one file: metadata by key, tensors by name."""

    path: Path
    metadata: dict[str, Value]
    tensors: dict[str, Tensor]

    def text(self, key: str, default: str | None = None) -> str:
        return _typed(self, key, str, default)

    def integer(self, key: str, default: int | None = None) -> int:
        value = self.metadata.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.bad(f"{key} is {_kind(value)}, not a number")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        value = self.metadata.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.bad(f"{key} is {_kind(value)}, not a number")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        return _typed(self, key, bool, default)

    def strings(self, key: str) -> list[str]:
        return [v for v in _typed(self, key, list, None) if isinstance(v, str)]

    def integers(self, key: str) -> list[int]:
        return [v for v in _typed(self, key, list, []) if isinstance(v, int)]

    def floats(self, key: str) -> list[float]:
        return [float(v) for v in _typed(self, key, list, []) if isinstance(v, int | float)]

    def bad(self, what: str) -> SourceError:
        return SourceError(f"{self.path.name}: {what}", next=DAMAGED)


def _kind(value: object) -> str:
    return "missing" if value is None else type(value).__name__


def _typed(file: Gguf, key: str, kind: type[T], default: T | None) -> T:
    value = file.metadata.get(key, default)
    if not isinstance(value, kind):
        raise file.bad(f"{key} is {_kind(value)}, not {kind.__name__}")
    return value


def size(file: Gguf, key: str, default: int | None = None, *, most: int = 2**31 - 1) -> int:
    value = file.integer(key, default)
    if not 0 < value <= most:
        raise file.bad(f"{key} is {value}")
    return value


def float32(value: float) -> float:
    """The shortest decimal that is this float32: 1e-05 where the file's four bytes say 9.99999975e-06."""
    import numpy as np

    return float(str(np.float32(value)))


class _Cursor:
    """A position in the file that never reads past its end."""

    def __init__(self, name: str, data: mmap.mmap) -> None:
        self.name, self.data, self.at = name, data, 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def bad(self, what: str) -> SourceError:
        return SourceError(f"{self.name}: {what}", next=DAMAGED)

    def scalar(self, code: str) -> int | float | bool:
        size = struct.calcsize("<" + code)
        if size > self.left:
            raise self.bad(f"the file ends early, at byte {len(self.data)}")
        (value,) = struct.unpack_from("<" + code, self.data, self.at)
        self.at += size
        return value  # type: ignore[no-any-return]

    def count(self, what: str, least: int) -> int:
        """A number of things of at least `least` bytes each, that must still fit into the file."""
        number = int(self.scalar("Q"))
        if number * least > self.left:
            raise self.bad(f"it claims {number} {what}, more than its {len(self.data)} bytes can hold")
        return number

    def elements(self, what: str, least: int) -> int:
        """A count of what becomes Python objects, each many times larger than in the file."""
        number = self.count(what, least)
        if number > MAX_ELEMENTS:
            raise self.bad(f"it claims an array of {number} {what}, more than any model has")
        return number

    def label(self) -> str:
        name = self.string()
        if len(name) > MAX_NAME or not name.isprintable():
            raise self.bad(f"the name that ends at byte {self.at} is no name")
        return name

    def string(self) -> str:
        size = self.count("bytes of text", 1)
        raw = self.data[self.at : self.at + size]
        self.at += size
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise self.bad(f"text at byte {self.at - size} is not UTF-8") from None

    def value(self, kind: int) -> Value:
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            return self.array()
        if kind not in SCALARS:
            raise self.bad(f"unknown metadata type {kind} at byte {self.at}")
        return self.scalar(SCALARS[kind])

    def array(self) -> Value:
        kind = int(self.scalar("I"))
        if kind == STRING:
            return [self.string() for _ in range(self.elements("strings", 8))]
        if kind not in SCALARS:
            raise self.bad(f"unknown array type {kind} at byte {self.at}")
        code = SCALARS[kind]
        number = self.elements("array elements", struct.calcsize("<" + code))
        values = list(struct.unpack_from(f"<{number}{code}", self.data, self.at))
        self.at += number * struct.calcsize("<" + code)
        return values


def read(path: Path) -> Gguf:
    """The header of the GGUF file at `path`; tensors are placed and sized, not read.

    Raises:
        SourceError: not a GGUF, a version or byte order that is not supported, one part of a split model, or
            a header that contradicts the file's size.
    """
    try:
        size = path.stat().st_size
        if size < 24:
            raise _not_gguf(path)
        with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _parse(path, _Cursor(path.name, data))
    except OSError as error:
        raise SourceError(f"cannot read {path.name}: {error.strerror}", next="check the path") from None


def _not_gguf(path: Path) -> SourceError:
    return SourceError(f"{path.name} is not a GGUF file", next="give a .gguf file of llama.cpp, or another source")


def _parse(path: Path, cursor: _Cursor) -> Gguf:
    if cursor.data[:4] != MAGIC:
        raise _not_gguf(path)
    cursor.at = 4
    version = int(cursor.scalar("I"))
    if version not in VERSIONS:
        order = " (big endian)" if version & 0xFFFF == 0 else ""
        raise SourceError(
            f"{path.name}: GGUF version {version}{order} is not supported, only {VERSIONS} in little endian",
            next="convert the model again with a current llama.cpp",
        )
    n_tensors = cursor.count("tensors", MIN_TENSOR)
    metadata = _metadata(cursor, cursor.count("metadata entries", MIN_PAIR))
    parts = metadata.get("split.count", 1)
    if not isinstance(parts, int) or parts > 1:
        raise SourceError(
            f"{path.name} is one part of a split model", next="join the parts with llama-gguf-split --merge"
        )
    return Gguf(path, metadata, _tensors(cursor, n_tensors, metadata.get("general.alignment", 32)))


def _metadata(cursor: _Cursor, number: int) -> dict[str, Value]:
    metadata: dict[str, Value] = {}
    for _ in range(number):
        key = cursor.label()
        if key in metadata:
            raise cursor.bad(f"the metadata key {key!r} occurs twice")
        metadata[key] = cursor.value(int(cursor.scalar("I")))
    return metadata


def _tensors(cursor: _Cursor, number: int, alignment: Value) -> dict[str, Tensor]:
    if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
        raise cursor.bad(f"general.alignment {alignment!r} is not a power of two")
    listed = [_tensor_info(cursor) for _ in range(number)]
    start = -(-cursor.at // alignment) * alignment
    tensors: dict[str, Tensor] = {}
    for name, shape, kind, offset in listed:
        if name in tensors:
            raise cursor.bad(f"the tensor {name!r} occurs twice")
        tensors[name] = _placed(cursor, name, shape, kind, start + offset)
    return tensors


def _tensor_info(cursor: _Cursor) -> tuple[str, tuple[int, ...], int, int]:
    name = cursor.label()
    n_dims = int(cursor.scalar("I"))
    if not 1 <= n_dims <= MAX_DIMS:
        raise cursor.bad(f"tensor {name!r} has {n_dims} dimensions")
    dims = [int(cursor.scalar("Q")) for _ in range(n_dims)]
    kind = int(cursor.scalar("I"))
    return name, tuple(reversed(dims)), kind, int(cursor.scalar("Q"))


def _placed(cursor: _Cursor, name: str, shape: tuple[int, ...], kind: int, offset: int) -> Tensor:
    quant = TYPES.get(kind)
    if quant is None:
        raise cursor.bad(f"tensor {name!r} has the unknown type {kind}")
    if min(shape) < 1 or shape[-1] % quant.block:
        raise cursor.bad(f"tensor {name!r} has the impossible shape {list(shape)} for {quant.name}")
    nbytes = prod(shape) // quant.block * quant.nbytes
    if offset + nbytes > len(cursor.data):
        raise cursor.bad(f"tensor {name!r} should end at byte {offset + nbytes} of {len(cursor.data)}")
    return Tensor(name, shape, kind, quant.name, offset, nbytes)
