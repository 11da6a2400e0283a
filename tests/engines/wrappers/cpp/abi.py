"""edgekit.h as an app uses it, from Python: for what is asked of the library with real engines."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
PROGRESS, TEXT, THOUGHT, TOOL_CALL, DONE = range(1, 6)
CACHES, WEIGHTS = 1, 2
VERIFY, FOREIGN, LAZY = 1, 2, 4
PARTS = ("code", "message", "next", "axis")  # of an error


class Utf8(ctypes.Structure):
    _fields_ = (("data", ctypes.c_char_p), ("size", ctypes.c_size_t))

    @classmethod
    def of(cls, text: str) -> Utf8:
        data = text.encode("utf-8")
        return cls(data, len(data))

    def __str__(self) -> str:
        address = ctypes.c_void_p.from_buffer(self).value  # as a c_char_p it ends at a zero byte
        return ctypes.string_at(address, self.size).decode("utf-8") if address else ""


class Options(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_size_t),
        ("flags", ctypes.c_uint32),
        *((name, ctypes.c_int32) for name in ("threads", "slots", "piece")),
        *((name, Utf8) for name in ("variant", "onnxruntime", "genai", "genai_version")),
    )


class Told(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_size_t),
        ("kind", ctypes.c_int32),
        *((name, Utf8) for name in ("text", "id", "name")),
        *((name, ctypes.c_int64) for name in ("read", "of")),
    )


class Tensor(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_size_t),
        ("name", Utf8),
        ("type", Utf8),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("rank", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("bytes", ctypes.c_size_t),
    )


class Refusal(Exception):
    """An edgekit_error."""

    def __init__(self, code: str, message: str, next: str, axis: str) -> None:
        super().__init__(message)
        self.code, self.next, self.axis = code, next, axis


@dataclass(frozen=True)
class Picture:
    """Pixels as an input: rows of three bytes a pixel, and perhaps of more behind them."""

    rows: Array
    width: int


class Library:
    """libedgekit, with errors as exceptions."""

    def __init__(self, path: Path) -> None:
        self.dll = ctypes.CDLL(str(path))
        for name in PARTS:
            getattr(self.dll, f"edgekit_error_{name}").restype = Utf8
        self.dll.edgekit_document_text.restype = Utf8
        for name in ("open", "facts", "preflight", "respond", "next", "trim", "infer", "classify"):
            getattr(self.dll, f"edgekit_{name}").restype = ctypes.c_void_p

    def call(self, name: str, *arguments: Any) -> None:
        """One that may return an error."""
        if error := getattr(self.dll, f"edgekit_{name}")(*arguments):
            handle = ctypes.c_void_p(error)
            words = [str(getattr(self.dll, f"edgekit_error_{part}")(handle)) for part in PARTS]
            self.dll.edgekit_error_free(handle)
            raise Refusal(*words)

    def document(self, name: str, *arguments: Any) -> dict[str, Any]:
        """One that gives a document."""
        document = ctypes.c_void_p()
        self.call(name, *arguments, ctypes.byref(document))
        text = str(self.dll.edgekit_document_text(document))
        self.dll.edgekit_document_free(document)
        return dict(json.loads(text))


class Run:
    """An answer: its events as they come, and what they come to."""

    def __init__(self, library: Library, bundle: ctypes.c_void_p, request: Mapping[str, Any]) -> None:
        self._library, self._handle = library, ctypes.c_void_p()
        self.text, self.pieces, self.calls, self.done = "", list[int](), list[tuple[str, str, str]](), dict[str, Any]()
        library.call("respond", bundle, Utf8.of(json.dumps(request)), ctypes.byref(self._handle))

    def __iter__(self) -> Iterator[int]:
        """The kind of each event."""
        while not self.done:
            yield self.next()

    def next(self) -> int:
        told = Told(ctypes.sizeof(Told))
        self._library.call("next", self._handle, ctypes.byref(told))
        if told.kind == PROGRESS:
            self.pieces.append(told.read)
        elif told.kind == TEXT:
            self.text += str(told.text)
        elif told.kind == TOOL_CALL:
            self.calls.append((str(told.id), str(told.name), str(told.text)))
        elif told.kind == DONE:
            self.done = json.loads(str(told.text))
        return int(told.kind)

    def all(self) -> Self:
        for _ in self:
            pass
        return self

    def cancel(self) -> None:
        self._library.dll.edgekit_cancel(self._handle)

    def free(self) -> None:
        self._library.dll.edgekit_run_free(self._handle)
        self._handle = ctypes.c_void_p()


class Bundle:
    """An open bundle."""

    def __init__(self, library: Library, folder: Path, **options: Any) -> None:
        self.library, self.handle = library, ctypes.c_void_p()
        named = {name: Utf8.of(value) if isinstance(value, str) else value for name, value in options.items()}
        chosen = Options(ctypes.sizeof(Options), **named)
        library.call("open", Utf8.of(str(folder)), ctypes.byref(chosen), ctypes.byref(self.handle))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.library.dll.edgekit_close(self.handle)
        self.handle = ctypes.c_void_p()

    def facts(self) -> dict[str, Any]:
        return self.library.document("facts", self.handle)

    def preflight(self, **request: Any) -> dict[str, Any]:
        return self.library.document("preflight", self.handle, Utf8.of(json.dumps(request)))

    def respond(self, **request: Any) -> Run:
        return Run(self.library, self.handle, request)

    def trim(self, what: int) -> int:
        freed = ctypes.c_int64()
        self.library.call("trim", self.handle, what, ctypes.byref(freed))
        return freed.value

    def classify(self, picture: Picture, top: int = 0) -> list[dict[str, Any]]:
        told = self.library.document("classify", self.handle, ctypes.byref(_tensor("", picture)), top)
        return list(told["classes"])

    def infer(self, feed: Mapping[str, Array | Picture], into: Mapping[str, Array | None]) -> dict[str, Array]:
        """The outputs by name: into memory of the caller's, or (None) the engine's, copied before it is given back."""
        inputs = (Tensor * len(feed))(*(_tensor(name, array) for name, array in feed.items()))
        outputs = (Tensor * len(into))(*(_tensor(name, array) for name, array in into.items()))
        owned = ctypes.c_void_p()
        self.library.call("infer", self.handle, inputs, len(feed), outputs, len(into), ctypes.byref(owned))
        arrays = {
            name: _array(tensor) if array is None else array
            for (name, array), tensor in zip(into.items(), outputs, strict=True)
        }
        self.library.dll.edgekit_values_free(owned)
        return arrays


def _tensor(name: str, array: Array | Picture | None) -> Tensor:
    if array is None:
        return Tensor(ctypes.sizeof(Tensor), Utf8.of(name))
    if isinstance(array, Picture):
        shape = (ctypes.c_int64 * 2)(len(array.rows), array.width)
        data, size = array.rows.ctypes.data, array.rows.nbytes
        return Tensor(ctypes.sizeof(Tensor), Utf8.of(name), Utf8.of("rgb8"), shape, 2, data, size)
    shape = (ctypes.c_int64 * array.ndim)(*array.shape)
    return Tensor(
        ctypes.sizeof(Tensor),
        Utf8.of(name),
        Utf8.of(str(array.dtype)),
        shape,
        array.ndim,
        array.ctypes.data,
        array.nbytes,
    )


def _array(tensor: Tensor) -> Array:
    values = np.frombuffer(ctypes.string_at(tensor.data, tensor.bytes), dtype=str(tensor.type))
    return values.reshape([tensor.shape[at] for at in range(tensor.rank)])
