"""The QNN job: Qualcomm's HTP compiler and HTP emulator, in a process that may abort without taking edgekit along.

`python -m edgekit.jobs.qnn REQUEST`. ONNX Runtime names what it compiles after the path of the model, so each model is
opened by its bare name from its own folder: equal models give equal bytes wherever they lie.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from edgekit import ep
from edgekit.errors import BuildError, EdgekitError, SourceError
from edgekit.used import Emit, serve
from edgekit.wrappers.python import npz

PROVIDER = "qnn"
NO_FALLBACK = ("session.disable_cpu_ep_fallback", "1")
RECORD = ("session.record_ep_graph_assignment_info", "1")


def compile_graphs(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Compile the graphs of request["folder"] into context graphs of the same names in request["out"].

    Each gets a binary of its own: one that two graphs share (enable_htp_weight_sharing) is half as large, but the
    emulator crashes when it loads it, so nothing could be said of it here.

    Request: graphs (file names), ep_options with soc_model, fallback (False: a node that QNN leaves is an error).
    Outcome: placed, {graph: {provider: {operator: nodes}}}, as the sessions report it.
    """
    folder, out = Path(request["folder"]), Path(request["out"])
    os.chdir(folder)
    placed = {}
    for name in request["graphs"]:
        emit("progress", text=f"compiling {name}")
        entries = [
            ("ep.context_enable", "1"),
            ("ep.context_embed_mode", "0"),
            ("ep.context_file_path", str(out / name)),
            RECORD,
            *(() if request["fallback"] else (NO_FALLBACK,)),
        ]
        placed[name] = _placed(_session(name, request["ep_options"], entries))
    return {"placed": placed}


def run(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Run a model on the emulator for each .npz of request["feeds"]; outputs go to request["out"] under its name.

    Request: model (a path), ep_options, fallback (False: a node that the provider does not take is an error).
    Outcome: calls, outputs (their names), placed as above.
    """
    model, out = Path(request["model"]), Path(request["out"])
    os.chdir(model.parent)
    entries = [RECORD, *(() if request["fallback"] else (NO_FALLBACK,))]
    session = _session(model.name, request["ep_options"], entries)
    names = [value.name for value in session.get_outputs()]
    files = sorted(Path(request["feeds"]).glob("*.npz"))
    for at, file in enumerate(files):
        emit("progress", text=f"emulating {at}/{len(files)}")
        found = session.run(names, npz.read(file))
        npz.write(out / file.name, dict(zip(names, found, strict=True)))
    return {"calls": len(files), "outputs": names, "placed": _placed(session)}


def _session(model: str, ep_options: dict[str, str], entries: list[tuple[str, str]]) -> Any:
    """A session of the model with the QNN provider.

    Raises:
        BuildError: with the provider's own words, such as the nodes it does not take where it must take all.
        SourceError: a tensor of no elements.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    for key, value in entries:
        options.add_session_config_entry(key, value)
    ep.attach(options, PROVIDER, ep_options)
    try:
        return ort.InferenceSession(model, options)
    except Exception as error:  # ONNX Runtime's exceptions have no common type
        raise refusal(model, str(error) or type(error).__name__) from None


def refusal(model: str, said: str) -> EdgekitError:
    """The provider's words as an error: of the model itself, where QNN takes no such one."""
    line = (said.strip().splitlines() or [""])[0][:300]
    if "Zero tensor size" in said:
        return SourceError(
            f"the model has a tensor without elements (of zero rows), which QNN does not take: {line}",
            next="export it without what is cut to nothing (a shift or a slice by zero), or take a target of the CPU",
        )
    return BuildError(
        f"QNN cannot open {model}: {line}",
        next="take out the operator that QNN's log names (--verbose shows it), or take a target of the CPU",
    )


def _placed(session: Any) -> dict[str, dict[str, int]]:
    """Nodes by provider and operator, as the session itself reports them: for each piece of the graph, one group."""
    counts: dict[str, Counter[str]] = {}
    for one in session.get_provider_graph_assignment_info():
        counts.setdefault(one.ep_name, Counter()).update(node.op_type for node in one.get_nodes())
    return {name: dict(sorted(nodes.items())) for name, nodes in counts.items()}


ACTIONS = {"compile": compile_graphs, "run": run}


if __name__ == "__main__":
    sys.exit(serve(lambda request, emit: ACTIONS[request["action"]](request, emit), Path(sys.argv[1])))
