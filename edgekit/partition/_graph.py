"""The graph that a provider is shown: after ONNX Runtime's basic optimizations, with every shape that can be known."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit import tools
from edgekit.errors import BuildError, EdgekitError, SourceError
from edgekit.partition._fold import fold
from edgekit.partition._view import View

LARGE = 256 << 20  # bytes inside the file: above, the optimized graph takes too long to write
TIMEOUT = 300.0  # seconds
CHILD = "edgekit.partition._child"
HALF = (10, 16)  # TensorProto.FLOAT16, BFLOAT16


@dataclass(frozen=True)
class Shown:
    """A graph to look at, and in words what it is."""

    view: View
    what: str


def read(path: Path) -> Any:
    """The model of a file, its external data left where it is.

    Raises:
        SourceError: it cannot be read.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.load(str(path), load_external_data=False)
    except (OSError, DecodeError) as error:
        raise SourceError(f"cannot read {path.name}: {error}", next="give an .onnx file") from None


def shown(path: Path, *, optimize: bool = True) -> Shown:
    """What a provider is shown of the model in a file; without `optimize`, the graph as it is written.

    ONNX Runtime folds constants, fuses and infers shapes before it asks a provider, so it is asked to do that here, in
    a process of its own. Where it cannot (a large model, float16, which its CPU kernels would wrap in casts, an
    operator it does not know) shapes are inferred and constants folded without it.
    """
    model = read(path)
    if optimize and not _halves(model) and path.stat().st_size <= LARGE:
        with tempfile.TemporaryDirectory(prefix="edgekit-partition-") as folder:
            try:
                return _optimized(path, Path(folder))
            except EdgekitError as error:  # whatever it does not like, the graph as it is written can be looked at
                if isinstance(error, BuildError) and error.killed:
                    raise
    folded = fold(model, path.parent)
    return Shown(View(folded, folded.graph, path.parent), "the graph as written, with constants folded")


def _optimized(path: Path, folder: Path) -> Shown:
    outcome = tools.job(
        tools.module(CHILD),
        {"action": "optimize", "model": str(path.absolute()), "out": str(folder / "basic.onnx")},
        folder,
        timeout=TIMEOUT,
        what="ONNX Runtime",
    )
    # The file has no shapes of the values in between; weights that lay in another file are still looked for there.
    model = fold(read(folder / "basic.onnx"), path.parent)
    what = f"the graph after the basic optimizations of onnxruntime {outcome['onnxruntime']}"
    return Shown(View(model, model.graph, path.parent), what)


def _halves(model: Any) -> bool:
    """True where a weight, input or output is float16 or bfloat16."""
    graph = model.graph
    return any(tensor.data_type in HALF for tensor in graph.initializer) or any(
        value.type.tensor_type.elem_type in HALF for value in (*graph.input, *graph.output)
    )
