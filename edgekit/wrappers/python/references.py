"""Which files an ONNX graph names: read from its bytes alone, wherever a file can be named in it.

A message may stand wherever its kind may stand in onnx.proto, and a field that occurs twice is looked at twice: a
parser takes the last or merges both, so whatever it takes was seen here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

# onnx.proto: message -> field number -> message, for all by which a tensor or a node can be reached.
MESSAGES: dict[str, dict[int, str]] = {
    "ModelProto": {7: "GraphProto", 14: "StringStringEntryProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
}
BITS = {  # of an element, by TensorProto.DataType; texts are never external
    **dict.fromkeys((2, 3, 9, 17, 18, 19, 20, 24), 8),
    **dict.fromkeys((4, 5, 10, 16), 16),
    **dict.fromkeys((1, 6, 12), 32),
    **dict.fromkeys((7, 11, 13, 14), 64),
    15: 128,
    **dict.fromkeys((21, 22, 23), 4),
    **dict.fromkeys((25, 26), 2),
    **dict.fromkeys((27, 28), 6),
}
SETTINGS = "ort_config"  # of a model's metadata: options of a session, which ONNX Runtime may take
HUGE = 2**63  # bytes; more than any file has
_DEEPEST = 100  # messages in one another: protobuf's own limit
_PLACE = ("offset", "length")
_CONTEXT_FILES = ("ep_cache_context", "onnx_model_filename")


@dataclass(frozen=True, order=True)
class Reference:
    """A file that a graph wants beside itself, and how many bytes it must have for that."""

    location: str
    needs: int


class _Field(NamedTuple):
    number: int
    value: int  # of a number; of a message, text or bytes where it begins
    end: int  # 0 for a number


def references(data: memoryview) -> tuple[set[Reference], bool]:
    """The files that a model names, and whether its metadata has session options.

    Raises:
        ValueError: these bytes are no ONNX model in protobuf's form.
    """
    if bytes(data[4:8]) == b"ORTM":
        raise ValueError("it is in ONNX Runtime's own format")
    walk = _Walk(data)
    try:
        walk.message("ModelProto", 0, len(data), 0)
    except IndexError:
        raise ValueError("it ends in the middle of a number") from None
    if not walk.has_graph:
        raise ValueError("it has no graph")
    return walk.found, walk.has_settings


class _Walk:
    """One pass over a model's bytes."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.found: set[Reference] = set()
        self.has_graph = self.has_settings = False

    def message(self, kind: str, at: int, end: int, depth: int) -> None:
        """Look through one message, and at the files it names itself."""
        if depth > _DEEPEST:
            raise ValueError("its messages nest too deep")
        below = MESSAGES.get(kind, {})
        fields = list(self._fields(at, end))
        for number, begin, stop in fields:
            if not stop or number not in below:
                continue
            inner = below[number]
            if inner == "TensorProto":
                self._tensor(begin, stop)
            elif inner == "StringStringEntryProto":
                self.has_settings = self.has_settings or self._entry(begin, stop)[0] == SETTINGS
            else:
                self.has_graph = self.has_graph or (kind == "ModelProto" and number == 7)
                self.message(inner, begin, stop, depth + 1)
        if kind == "NodeProto" and any(field.number == 4 and self._text(field) == "EPContext" for field in fields):
            self._context([field for field in fields if field.number == 5 and field.end])

    def _tensor(self, at: int, end: int) -> None:
        """External data: every location with the furthest byte that is asked for."""
        entries: list[tuple[str, str]] = []
        elements, kind, external = 1, 0, False
        for field in self._fields(at, end):
            if field.number == 1:
                for dim in self._numbers(field):
                    elements = min(HUGE, elements * dim)
            elif field.number == 2 and not field.end:
                kind = field.value
            elif field.number == 13 and field.end:
                entries.append(self._entry(field.value, field.end))
            elif field.number == 14 and not field.end:
                external = external or field.value == 1
        if not entries and not external:
            return
        offset, length = (max([0, *(_number(value) for key, value in entries if key == name)]) for name in _PLACE)
        size = max(length, (elements * BITS.get(kind, 0) + 7) // 8)
        for location in {value for key, value in entries if key == "location"} or {""}:
            self.found.add(Reference(location, min(HUGE, offset + size)))

    def _context(self, attributes: list[_Field]) -> None:
        """A compiled context that is not embedded names its file; only one of several that share it does."""
        texts: list[tuple[str, str]] = []
        embedded = True  # the operator's default
        for attribute in attributes:
            name, text, number = "", "", 0
            for field in self._fields(attribute.value, attribute.end):
                if field.number == 1 and field.end:
                    name = self._text(field)
                elif field.number == 4 and field.end:
                    text = self._text(field)
                elif field.number == 3 and not field.end:
                    number = field.value
            embedded = embedded and (name != "embed_mode" or number != 0)
            texts.append((name, text))
        for name, text in texts:
            if text and name in _CONTEXT_FILES[1 if embedded else 0 :]:
                self.found.add(Reference(text, 0))

    def _entry(self, at: int, end: int) -> tuple[str, str]:
        texts = {1: "", 2: ""}
        for field in self._fields(at, end):
            if field.number in texts and field.end:
                texts[field.number] = self._text(field)
        return texts[1], texts[2]

    def _text(self, field: _Field) -> str:
        """A text, of which only the beginning is looked at where it is longer than any path."""
        end = min(field.end, field.value + 4096)
        return bytes(self.data[field.value : end]).decode("utf-8", "backslashreplace")

    def _numbers(self, field: _Field) -> Iterator[int]:
        """One number, or those of a packed field."""
        if not field.end:
            yield field.value
            return
        at = field.value
        while at < field.end:
            number, at = self._varint(at, field.end)
            yield number

    def _fields(self, at: int, end: int) -> Iterator[_Field]:
        while at < end:
            key, at = self._varint(at, end)
            number, wire = key >> 3, key & 7
            if not number or key >= 2**32:
                raise ValueError("it has a field that no parser knows")
            if wire == 0:
                value, at = self._varint(at, end)
                yield _Field(number, value, 0)
                continue
            if wire == 2:
                size, at = self._varint(at, end)
            elif wire in (1, 5):
                size = 8 if wire == 1 else 4
            else:
                raise ValueError("it has a field of a kind that ONNX does not use")
            if size > end - at:
                raise ValueError("a part of it is longer than the whole")
            if wire == 2:
                yield _Field(number, at, at + size)
            at += size

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = self.data[at]
        at += 1
        if value >= 0x80:
            value &= 0x7F
            for shift in range(7, 70, 7):
                byte = self.data[at]
                at += 1
                value |= (byte & 0x7F) << shift
                if byte < 0x80:
                    break
            else:
                raise ValueError("it has a number without an end")
        if at > end:
            raise ValueError("a number of it is longer than the whole")
        return value & 0xFFFFFFFFFFFFFFFF, at


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else HUGE
