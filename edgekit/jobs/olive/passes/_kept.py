"""The float graph that a static quantization begins from, kept beside its result: the gate holds it against the source.

What prepares a graph for quantization (shape inference, folding, fusions) may change what it computes, and the noise of
int8 would hide that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

NAME = "prepared.onnx"
LIMIT = 2**31 - 1  # bytes of a file without external data
_folders: list[Path] = []


def keep_in(folder: Path) -> None:
    """Where the workflow that runs in this process keeps it."""
    _folders[:] = [folder]


def keep(prepared: Any) -> None:
    """Write a ModelProto; one that is too large for one file is not kept, and not compared."""
    for folder in _folders:
        if prepared.ByteSize() < LIMIT:
            (folder / NAME).write_bytes(prepared.SerializeToString())
