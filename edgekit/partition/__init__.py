"""partition: which execution provider takes which node of a graph, and why not the rest.

`predict` applies a provider's published tables and rules to the graph (evidence: static). `measure` opens a session and
asks it (evidence: host, or simulated where a stand-in for the hardware runs it).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from edgekit import ep as providers
from edgekit import registry, tools
from edgekit.data import nearest
from edgekit.errors import ToolMissing, UsageError
from edgekit.partition import _measured
from edgekit.partition._graph import CHILD, TIMEOUT, read, shown
from edgekit.partition._place import Wanted
from edgekit.partition._sum import summed
from edgekit.results.partition import Partition

API_LEVEL = 29  # Android 10, the oldest that NNAPI's per-channel int8 needs
EXTERNAL = "some weights lie in another file: ONNX Runtime 1.21 left nodes that read such weights, 1.29 takes them"


def predictable() -> list[str]:
    """The providers whose placement can be predicted, sorted."""
    return [name for name in registry.members("edgekit.partition") if name in providers.names()]


def predict(
    model: Path,
    ep: str,
    options: Mapping[str, str] | None = None,
    *,
    runtime: str | None = None,
    api_level: int = API_LEVEL,
    optimize: bool = True,
) -> Partition:
    """What a provider is expected to take of an .onnx file.

    Args:
        options: of the provider, as the target sets them.
        runtime: the version of ONNX Runtime that must do it; the installed one when None.
        api_level: nnapi: the oldest Android that must do it.
        optimize: look at the graph after ONNX Runtime's basic optimizations, as the provider does.

    Raises:
        UsageError: this provider's placement cannot be predicted.
        SourceError: the file cannot be read.
    """
    providers.load(ep)
    if ep not in predictable():
        raise UsageError(
            f"the placement of {ep} is not predicted{nearest(ep, predictable())}",
            next=f"measure it with --partition on a machine that has it, or predict one of: {', '.join(predictable())}",
        )
    graph = shown(model, optimize=optimize)
    module = registry.member("edgekit.partition", ep)
    release = runtime or version("onnxruntime")
    numbers = tuple(int(part) for part in release.split(".")[:3] if part.isdigit())
    placement = module.place(graph.view, Wanted(dict(options or {}), numbers, api_level))
    external = any(tensor.data_location == 1 for tensor in read(model).graph.initializer)
    notes = (EXTERNAL,) if external and ep in ("nnapi", "coreml") and numbers < (1, 29) else ()
    return summed(
        graph,
        placement,
        ep,
        ep_options=dict(options or {}),
        how="predicted",
        evidence="static",
        basis=f"{module.BASIS}; for ONNX Runtime {release}",
        notes=notes,
    )


def look(
    model: Path,
    ep: str,
    options: Mapping[str, str] | None = None,
    *,
    runtime: str | None = None,
    api_level: int | None = None,
) -> Partition:
    """Measured where a session of the provider can be opened here, else predicted; raises as both do."""
    try:
        return measure(model, ep, options)
    except ToolMissing:
        if ep not in predictable():
            raise
    return predict(model, ep, options, runtime=runtime, api_level=api_level or API_LEVEL)


def measure(model: Path, ep: str, options: Mapping[str, str] | None = None) -> Partition:
    """What a session of a provider on this machine really takes of an .onnx file; the session is in a child process.

    Raises:
        ToolMissing: this machine has not what the provider needs.
        BuildError: ONNX Runtime refuses the model, or its process died.
        SourceError: the file cannot be read.
    """
    if reason := providers.unavailable(ep):
        raise ToolMissing(f"no session of {ep} here: {reason}", next="predict it, or use a machine that has it")
    model = model.absolute()
    graph = shown(model)
    with tempfile.TemporaryDirectory(prefix="edgekit-partition-") as folder:
        request = _measured.request(graph, ep, dict(options or {}), model, Path(folder))
        outcome = tools.job(
            tools.module(CHILD),
            request,
            Path(folder),
            timeout=TIMEOUT,
            what=f"a session of {ep}",
        )
    placement = _measured.placement(graph.view, ep, outcome)
    plugin = f" with {providers.load(ep).plugin.replace('_', '-')}" if providers.load(ep).plugin else ""
    stand_in = bool(plugin) and outcome["device"] == "CPU"
    return summed(
        graph,
        placement,
        ep,
        ep_options=dict(options or {}),
        how="measured",
        evidence="simulated" if stand_in else "host",
        basis=f"a session of onnxruntime {outcome['onnxruntime']}{plugin}{', software device' if stand_in else ''}",
        notes=(),
    )
