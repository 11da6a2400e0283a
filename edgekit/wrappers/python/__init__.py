"""edgekit_runtime: open an edgekit bundle and run it.

    from edgekit_runtime import open_bundle

    bundle = open_bundle("smollm2-135m-instruct-linux-cpu")
    for piece in bundle.generate([{"role": "user", "content": "What is the capital of France?"}]):
        print(piece, end="", flush=True)

It needs Python 3.11, NumPy and ONNX Runtime, for language models ONNX Runtime GenAI too, and nothing of edgekit.
"""

from __future__ import annotations

from .bundle import open_bundle
from .manifest import Refused

__all__ = ["Refused", "open_bundle"]
