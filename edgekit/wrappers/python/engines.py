"""The ONNX Runtime that GenAI runs models on, which need not be the one that Python imports."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

_ENTRY = "OrtGetApiBase"
_OPENED = ("onnxruntime.dll", "libonnxruntime.so", "libonnxruntime.so.1", "libonnxruntime.dylib")


class _Base(ctypes.Structure):
    """OrtApiBase of onnxruntime_c_api.h."""

    _fields_ = (("get_api", ctypes.c_void_p), ("get_version", ctypes.CFUNCTYPE(ctypes.c_char_p)))


def of_genai(genai: ModuleType) -> str | None:
    """Its version; None where its library cannot be found.

    Args:
        genai: GenAI's module, which is loaded.
    """
    for name in _places(Path(str(genai.__file__)).parent):
        try:
            entry = getattr(ctypes.CDLL(name), _ENTRY)
        except (OSError, AttributeError):  # not there, or without one of its own
            continue
        entry.restype = ctypes.POINTER(_Base)
        return str(entry().contents.get_version().decode())
    return None


def _places(folder: Path) -> Iterator[str]:
    """Libraries in the order in which GenAI's entry is found: its own, what its package opened, what it looks for."""
    yield from map(str, sorted(folder.glob("*onnxruntime-genai.*")))
    if told := os.environ.get("ORT_LIB_PATH"):
        yield told
    for name in _OPENED:
        yield name
        yield str(folder / name)
