"""`python -m edgekit.partition._child REQUEST.json`: what needs a session of ONNX Runtime, in a process of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from edgekit import ep
from edgekit.errors import BuildError
from edgekit.wrappers.python.protocol import Emit, serve


def optimize(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Write the model after ONNX Runtime's basic optimizations to request["out"], weights inside."""
    import onnxruntime as ort

    options = _quiet()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = request["out"]
    options.add_session_config_entry("session.disable_prepacking", "1")
    _open(request["model"], options, providers=["CPUExecutionProvider"])
    return {"onnxruntime": ort.__version__}


def place(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Open the model with the provider request["ep"] and say where each node went.

    Outcome: groups, [{"ep", "nodes": [[name, domain, op], ...]}, ...] as the session reports them; reasons that the
    provider itself wrote down, by node; kernels, the operators that a kernel-based plugin has; device, "CPU" for a
    stand-in.
    """
    import onnxruntime as ort

    name, folder = request["ep"], Path(request["folder"])
    options = _quiet()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if request.get("weights"):
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", request["weights"])
    trace = {"enable_framework_op_trace": "1", "framework_op_trace_dir": str(folder)} if name == "qnn" else {}
    ep.attach(options, name, {**request["ep_options"], **trace})
    session = _open(request["model"], options)
    return {
        "onnxruntime": ort.__version__,
        "groups": [
            {"ep": one.ep_name, "nodes": [[node.name, node.domain, node.op_type] for node in one.get_nodes()]}
            for one in session.get_provider_graph_assignment_info()
        ],
        "reasons": _reasons(folder / "qnn_op_trace.json"),
        "kernels": _kernels(name),
        **_device(name),
    }


def _quiet() -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    return options


def _open(path: str, options: Any, **how: Any) -> Any:
    """A session; whatever ONNX Runtime refuses is one line."""
    import onnxruntime as ort

    try:
        return ort.InferenceSession(path, options, **how)
    except Exception as error:  # its own classes have no common base
        if "onnxruntime" not in type(error).__module__:
            raise
        lines = str(error).strip().splitlines() or [type(error).__name__]
        again = "verify the bundle (edgekit verify); if it is whole, build it again with this edgekit"
        raise BuildError(f"ONNX Runtime does not open the graph: {lines[0][:300]}", next=again) from None


def _reasons(trace: Path) -> dict[str, str]:
    """Why QNN left a node, in its own words."""
    if not trace.is_file():
        return {}
    found = json.loads(trace.read_text(encoding="utf-8")).get("unsupported_nodes", ())
    return {one["node_name"]: one["reason"] for one in found}


def _kernels(name: str) -> list[str] | None:
    """The operators that a kernel-based plugin has kernels for; None for a compiler."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    if name != "webgpu":
        return None
    return sorted(
        {
            f"{kernel.domain or 'ai.onnx'}:{kernel.op_name}"
            for kernel in state.get_registered_ep_kernel_defs(ep.provider(name))
        }
    )


def _device(name: str) -> dict[str, str]:
    """Which plugin on which kind of device; a plugin on the CPU is a stand-in for its accelerator."""
    import onnxruntime as ort

    for device in ort.get_ep_devices():
        if device.ep_name == ep.provider(name) and ep.load(name).plugin:
            return {"device": device.device.type.name, "plugin": device.ep_metadata.get("version", "")}
    return {"device": "CPU", "plugin": ""}


ACTIONS = {"optimize": optimize, "place": place}


if __name__ == "__main__":
    sys.exit(serve(lambda request, emit: ACTIONS[request["action"]](request, emit), Path(sys.argv[1])))
