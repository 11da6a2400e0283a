"""edgekit_runtime: open an edgekit bundle and run it.

    from edgekit_runtime import open_bundle

    bundle = open_bundle("smollm2-135m-instruct-linux-cpu")
    for piece in bundle.generate([{"role": "user", "content": "What is the capital of France?"}]):
        print(piece, end="", flush=True)

A conversation goes to bundle.respond(messages) whole each time, which reads only what no kept cache holds and tells
events; its cancel() may come from any thread, and bundle.trim("caches") gives memory back.

It needs Python 3.11, NumPy and ONNX Runtime, for language models ONNX Runtime GenAI too, and nothing of edgekit.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bundle import open_bundle
    from .manifest import Refused

__all__ = ["Refused", "open_bundle"]
_HOMES = {"Refused": ".manifest", "open_bundle": ".bundle"}


def __getattr__(name: str) -> Any:
    """Loaded when it is asked for: who needs one small module of this package needs no more."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name], __name__), name)
