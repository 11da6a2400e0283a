"""Qualcomm's HTP emulator: what the NPU will compute, on the build machine. Its evidence is "simulated".

The emulator runs in a child process: a model it cannot digest aborts the process it is in. It accepts contexts of chips
it does not emulate, so a context is compared with the chip it is run for before it is opened.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edgekit import console, ep, tools
from edgekit.compile import _context
from edgekit.errors import BuildError
from edgekit.extras import require
from edgekit.inputs.feeds import Feed, LazyFeeds, write_folder
from edgekit.kinds.variant import Compatibility
from edgekit.results.measurement import Evidence
from edgekit.wrappers.python import npz

EVIDENCE: Evidence = "simulated"
PROVIDER = ep.provider("qnn")
JOB = tools.module("edgekit.jobs.qnn")
TIMEOUT = 2 * 3600.0  # seconds; a call of a large net takes some


@dataclass(frozen=True)
class Emulated:
    """What a run gave.

    Attributes:
        outputs: one dict of arrays a feed, read from disk when asked for.
        placed: nodes by provider and operator, as the session reported them.
    """

    outputs: Sequence[Feed]
    placed: dict[str, dict[str, int]]
    evidence: Evidence = EVIDENCE


def run(
    model: Path,
    feeds: Sequence[Feed],
    work: Path,
    *,
    chip: Compatibility | None = None,
    ep_options: Mapping[str, str] | None = None,
    fallback: bool = False,
) -> Emulated:
    """Run a QDQ model, or one compiled for `chip`, on the emulator.

    Args:
        model: an .onnx file with static shapes.
        work: an existing folder; the outputs and the child's log lie there, as long as they are needed.
        chip: the axes of the emulated chip; a context for another is refused.
        fallback: let the CPU take the nodes that QNN does not; else such a node is an error.

    Raises:
        ToolMissing: the `qnn` extra is not installed.
        BundleError: the context is for another chip or runtime; the axis is named.
        BuildError: QNN refuses the model or leaves nodes, or the emulator ended without outputs.
    """
    require("qnn")
    if _context.has_context(model):
        _context.refuse(_context.read([model]), chip or Compatibility())
    inputs, outputs = work / "feeds", work / "outputs"
    for folder in (inputs, outputs):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    write_folder(inputs, feeds)
    request = {
        "action": "run",
        "model": str(model.absolute()),
        "feeds": str(inputs.absolute()),
        "out": str(outputs.absolute()),
        "ep_options": dict(ep_options or {}),
        "fallback": fallback,
    }
    outcome = tools.job(JOB, request, work, timeout=TIMEOUT, what="Qualcomm's HTP emulator", on_event=tick)
    shutil.rmtree(inputs)
    files = sorted(outputs.glob("*.npz"))
    if len(files) != len(feeds):
        raise BuildError(f"the emulator answered {len(files)} of {len(feeds)} inputs", next=tools.SEE_LOG)
    return Emulated(LazyFeeds([partial(npz.read, file) for file in files]), outcome["placed"])


def left(placed: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """The nodes that QNN did not take, by operator."""
    return {op: count for name, nodes in placed.items() if name != PROVIDER for op, count in nodes.items()}


def zeros(graph: Path) -> Feed:
    """A feed of zeros for a graph with static shapes."""
    import onnx

    feed = {}
    for one in onnx.load(str(graph), load_external_data=False).graph.input:
        kind = one.type.tensor_type
        shape = [dim.dim_value for dim in kind.shape.dim]
        if any(dim.WhichOneof("value") != "dim_value" for dim in kind.shape.dim):
            raise BuildError(
                f"the input {one.name!r} of {graph.name} has no fixed size", next="QNN needs static shapes: fix them"
            )
        feed[one.name] = np.zeros(shape, onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
    return feed


def tick(event: Mapping[str, Any]) -> None:
    """Show what a job says it is doing."""
    console.tick(str(event.get("text", "")))
