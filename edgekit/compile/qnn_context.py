"""Ahead-of-time compilation for one Snapdragon chip, with the HTP compiler in the onnxruntime-qnn wheel.

A QDQ model becomes an EP context: a graph of a few nodes and a binary that the NPU maps as it is. The chip, the Hexagon
version and the QAIRT version in the facts are read from that binary. A runtime does not load contexts of a newer QAIRT
than its own, so a compiler that is newer than what the target's apps carry is refused before anything is built.
"""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit import cache, console, tools
from edgekit.code import Basis
from edgekit.compile import _context, _emulator, _pipeline
from edgekit.compile._context import Context
from edgekit.data import pretty, write_atomic
from edgekit.ep import qnn
from edgekit.errors import BuildError, BundleError, TargetError
from edgekit.extras import require
from edgekit.kinds.variant import Compatibility

if TYPE_CHECKING:
    from edgekit.kinds import Package
    from edgekit.kinds.variant import Variant
    from edgekit.target import Target

GRAPH = "model.onnx"
FACTS = "facts.json"
TIMEOUT = 3600.0  # seconds for all graphs of a model
COMPILER = ("onnxruntime", "onnxruntime-qnn")
BASIS = Basis(("edgekit.jobs.qnn", "edgekit.compile.qnn_context"), engines=COMPILER)
# More time in the compiler for a better graph; a profile's own options win.
OPTIONS = {"htp_graph_finalization_optimization_mode": "3"}


def refuse_early(target: Target) -> None:
    """Before anything is built: can this machine compile what the apps of this target load?

    Raises:
        ToolMissing: the `qnn` extra is not installed.
        TargetError: no runtime package of the profile says which QAIRT it carries.
        BuildError: the compiler's QAIRT is newer than the apps'.
    """
    require("qnn")
    _not_newer(qnn.qairt(), target)


def run(variant: Variant, model: Path, target: Target, fallback: bool) -> Path:
    """The compiled form of the model in the folder `model`: a folder with model/ and facts.json, from the cache.

    Args:
        variant: its ep_options are those a session gets, soc_model is the compiler's number of its chip.
        model: holds model.onnx (a static QDQ graph), or a GenAI pipeline of several graphs, whose attention is the
            CPU's.
        fallback: False where QNN must take every node of a single graph.

    Raises:
        BuildError: the compiler failed, left nodes, or left no context that loads on the emulator and answers.
        TargetError: soc_model is the number of another chip than the variant's soc or htp_arch.
    """
    refuse_early(target)
    fallback = fallback or bool(_pipeline.graphs(model))
    options = {**OPTIONS, **variant.ep_options, "soc_model": str(variant.soc_model)}
    key = {
        "compiler": "qnn_context",
        "model": cache.path_digest(model),
        "options": options,
        "chip": [list(variant.soc), variant.htp_arch],
        "fallback": fallback,
        "basis": BASIS.key(),
        "qairt": qnn.qairt(),
    }
    what = f"{'/'.join(variant.soc)} (HTP v{variant.htp_arch})"

    def make(folder: Path) -> dict[str, Any]:
        with console.step(f"compiling for {what}"):
            return _make(variant, model, target, options, fallback, folder)

    entry = cache.produce("compile", key, make, what=what, basis=BASIS)
    if entry.hit:
        console.say(f"compiling for {what}: already done, taken from the cache")
    return entry.path


def _make(
    variant: Variant, model: Path, target: Target, options: dict[str, str], fallback: bool, folder: Path
) -> dict[str, Any]:
    """Compile and try it; returns the compiler's account."""
    out, work = folder / "model", folder / "work"
    out.mkdir()
    work.mkdir()
    layers = _pipeline.graphs(model)
    graphs = layers or [GRAPH]
    probe = [] if layers else [_emulator.zeros(model / GRAPH)]  # also refuses what has no static shapes
    request = {
        "action": "compile",
        "folder": str(model.absolute()),
        "out": str(out.absolute()),
        "graphs": graphs,
        "ep_options": options,
        "fallback": fallback,
    }
    outcome = tools.job(
        _emulator.JOB, request, work, timeout=TIMEOUT, what="Qualcomm's HTP compiler", on_event=_emulator.tick
    )
    context = _produced(out, graphs)
    _for_the_variant(context, variant)
    _not_newer(context.qairt, target)
    _pipeline.complete(model, out, graphs, variant.ep_options)
    chip = Compatibility(soc=variant.soc, htp_arch=variant.htp_arch, qairt=context.qairt)
    for name in graphs:  # loaded back; a layer's graph is too slow to be run here, the parity check runs them all
        _emulator.run(out / name, probe, work, chip=chip, fallback=bool(context.others))
    counted = {name: _counted(outcome["placed"][name], out / name) for name in graphs}
    version = importlib.metadata.version("onnxruntime-qnn")
    facts = {**context.facts(), "compiler": f"onnxruntime-qnn {version}", "graphs": counted}
    write_atomic(folder / FACTS, pretty(facts))
    shutil.rmtree(work)
    used: dict[str, Any] = outcome["used"]
    return used


def _produced(out: Path, graphs: Sequence[str]) -> Context:
    """The contexts that must now be there, whatever the compiler said of itself."""
    missing = [name for name in graphs if not (out / name).is_file()]
    try:
        if missing:
            raise BundleError(f"there is no {missing[0]}")
        return _context.read(out / name for name in graphs)
    except BundleError as error:
        raise BuildError(
            f"Qualcomm's HTP compiler left no usable context: {error.message}",
            next="take out the operator that its log names (--verbose shows it), or take a target of the CPU",
        ) from None


def _for_the_variant(context: Context, variant: Variant) -> None:
    try:
        _context.refuse(context, Compatibility(soc=variant.soc, htp_arch=variant.htp_arch))
    except BundleError as error:
        raise TargetError(
            f"variant {variant.name}: soc_model {variant.soc_model} is another chip; {error.message}",
            next="correct soc_model, soc or htp_arch in the profile",
        ) from None


def _not_newer(version: str, target: Target) -> None:
    package = _carries(target)
    if package.qairt is not None and _context.newer(version, package.qairt):
        raise BuildError(
            f"the compiler here is QAIRT {version}; apps for {target.name} carry {package.qairt} "
            f"({package.name} {package.floor}), which loads no newer contexts",
            next=f"pip install onnxruntime-qnn=={package.floor}, or raise that package's floor in your profile",
        )


def _carries(target: Target) -> Package:
    """The runtime package that says which QAIRT the apps of a target carry."""
    for package in target.runtime:
        if package.qairt is not None:
            return package
    raise TargetError(
        f"{target.name} compiles for QNN, but no [[runtime]] package says which qairt it carries",
        next='add qairt = "..." to the package that brings Qualcomm\'s libraries into the app',
    )


def _counted(placed: dict[str, dict[str, int]], graph: Path) -> dict[str, Any]:
    """The nodes that QNN compiled, by operator those left to the CPU, and the pieces that the compiled graph runs."""
    context = _context.read([graph])
    taken = sum(placed.get(_emulator.PROVIDER, {}).values())
    return {"compiled": taken, "left": _emulator.left(placed), "contexts": context.contexts}
