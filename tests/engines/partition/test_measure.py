"""Measured placement against what another session of the same provider profiles, node by node."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from edgekit import partition
from edgekit.errors import BuildError, ToolMissing
from tests.unit.partition.small_graphs import branch, conv, int8, matmul_nbits, model, node, quantized, save, weight

# Opens a model with a provider by ONNX Runtime alone, runs it once, and prints [[provider, operator, name], ...] of the
# kernels that ran.
PROFILE = """
import json, sys, numpy as np, onnxruntime as ort
name, path, plugin, options = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
so = ort.SessionOptions(); so.log_severity_level = 4; so.enable_profiling = True
so.profile_file_prefix = path + ".profile"
so.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
if plugin:
    module = __import__(plugin)
    ort.register_execution_provider_library(name, module.get_library_path())
    so.add_provider_for_devices([d for d in ort.get_ep_devices() if d.ep_name == name][:1], options)
    session = ort.InferenceSession(path, so)
else:
    session = ort.InferenceSession(path, so, providers=[name])
kinds = {"tensor(float)": "float32", "tensor(bool)": "bool", "tensor(int64)": "int64", "tensor(uint8)": "uint8"}
session.run(None, {i.name: np.ones(i.shape, kinds[i.type]) for i in session.get_inputs()})
rows = json.load(open(session.end_profiling()))
ran = [(r["args"]["provider"], r["args"]["op_name"], r["name"].removesuffix("_kernel_time"))
       for r in rows if r.get("cat") == "Node" and r["name"].endswith("_kernel_time")]
print(json.dumps(ran))
"""


def profile(path: Path, provider: str, plugin: str = "", options: dict[str, str] | None = None) -> list[list[str]]:
    words = [sys.executable, "-c", PROFILE, provider, str(path), plugin, json.dumps(options or {})]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=os.environ)
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[list[str]] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def mixed() -> object:
    """Convolutions that every accelerator takes around a determinant that none does."""
    return model(
        [
            node("Conv", "x w", "a"),
            node("Relu", "a", "r"),
            node("Slice", "r lo hi", "s"),
            node("Det", "s", "d"),
            node("Unsqueeze", "d axes", "e"),
            node("Mul", "r e", "m"),
            node("Conv", "m v", "y"),
        ],
        {"x": [1, 3, 8, 8]},
        {
            "w": weight(4, 3, 3, 3),
            "v": weight(2, 4, 1, 1),
            "lo": np.array([0, 0, 0, 0]),
            "hi": np.array([1, 4, 2, 2]),
            "axes": np.array([2, 3]),
        },
    )


@pytest.mark.runtimes
def test_the_cpu_takes_everything(tmp_path: Path) -> None:
    path = save(tmp_path, mixed())
    found = partition.measure(path, "cpu")
    ran = profile(path, "CPUExecutionProvider")
    assert (found.how, found.evidence) == ("measured", "host")
    assert (found.nodes, found.nodes_taken, found.coverage) == (len(ran), len(ran), 1.0)
    assert not found.blockers and found.partitions == 1


@pytest.mark.runtimes
def test_what_the_session_optimizes_away_between_two_nodes_is_no_border(tmp_path: Path) -> None:
    """Float16 weights are shown as they are written, with a factor of one (Granite has some) that no session keeps."""
    nodes = [node("Cast", "h", "w", to=TensorProto.FLOAT), node("MatMul", "x w", "m"), node("Mul", "m unit", "k")]
    constants = {"h": weight(4, 4, dtype="float16"), "unit": np.float32(1)}
    path = save(tmp_path, model([*nodes, node("Sigmoid", "k")], {"x": [1, 4]}, constants))
    seen = partition.measure(path, "cpu")
    assert "as written" in seen.graph
    assert (seen.partitions, seen.nodes_taken) == (1, seen.nodes) and seen.nodes < len(nodes) + 1


@pytest.mark.runtimes
def test_the_nodes_of_bodies_are_counted(tmp_path: Path) -> None:
    found = partition.measure(save(tmp_path, branch()), "cpu")
    assert (found.nodes, found.nodes_by_ep) == (5, {"cpu": 5})


@pytest.mark.runtimes
@pytest.mark.parametrize(
    "proto", [matmul_nbits(), quantized("Conv", [1, 3, 8, 8], int8(4, 3, 3, 3))], ids=["int4", "qdq"]
)
def test_contrib_operators_and_quantized_graphs_open(proto: object, tmp_path: Path) -> None:
    found = partition.measure(save(tmp_path, proto), "cpu")
    assert found.coverage == 1.0 and found.macs


@pytest.mark.runtimes
def test_a_model_that_onnx_runtime_refuses_is_one_line(tmp_path: Path) -> None:
    path = save(tmp_path, model([node("Mystery", "x", domain="elsewhere")], {"x": [1]}))
    with pytest.raises(BuildError) as caught:
        partition.measure(path, "cpu")
    assert "\n" not in caught.value.message and caught.value.next


@pytest.mark.runtimes
def test_a_provider_that_is_not_here_says_why(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="no session of coreml here"):
        partition.measure(save(tmp_path, conv()), "coreml")


@pytest.mark.runtimes
def test_a_look_measures_where_it_can_and_predicts_elsewhere(tmp_path: Path) -> None:
    path = save(tmp_path, conv())
    assert partition.look(path, "cpu").how == "measured"
    assert partition.look(path, "nnapi").how == "predicted"


@pytest.mark.tools
def test_qnn_takes_what_its_own_session_says(tmp_path: Path, need_provider: Callable[[str], None]) -> None:
    need_provider("qnn")
    path = save(tmp_path, mixed())
    found = partition.measure(path, "qnn")
    import onnxruntime_qnn

    ran = profile(path, "QNNExecutionProvider", "onnxruntime_qnn", {"backend_path": onnxruntime_qnn.get_qnn_htp_path()})
    by_provider = Counter(provider for provider, _, _ in ran)
    assert found.evidence == "simulated"
    # The profile shows each compiled piece as one kernel, and each node that is left by its own.
    assert found.partitions == by_provider["QNNExecutionProvider"] == 2
    left = {op for provider, op, _ in ran if provider == "CPUExecutionProvider"}
    assert left == {"Det"} == {blocker.operator.removeprefix("ai.onnx:") for blocker in found.blockers}
    assert found.nodes_by_ep == {"cpu": 1, "qnn": 6} and found.round_trips == 1
    assert "not supported by QNN" in found.blockers[0].reason


@pytest.mark.tools
def test_a_quantized_net_runs_on_qnn_whole(tmp_path: Path, need_provider: Callable[[str], None]) -> None:
    need_provider("qnn")
    path = save(tmp_path, quantized("Conv", [1, 3, 8, 8], int8(4, 3, 3, 3)))
    found = partition.measure(path, "qnn", {"offload_graph_io_quantization": "0"})
    assert found.coverage == 1.0 and found.nodes_by_ep == {"qnn": found.nodes} and found.partitions == 1


@pytest.mark.tools
def test_webgpu_takes_what_its_own_session_says(tmp_path: Path, need_provider: Callable[[str], None]) -> None:
    need_provider("webgpu")
    path = save(tmp_path, mixed())
    found = partition.measure(path, "webgpu")
    ran = profile(path, "WebGpuExecutionProvider", "onnxruntime_ep_webgpu")
    ran = [row for row in ran if not row[1].startswith(("Memcpy", "Transpose"))]  # ONNX Runtime's own
    assert found.evidence == "simulated"
    assert found.nodes_by_ep == {
        "cpu": sum(provider == "CPUExecutionProvider" for provider, _, _ in ran),
        "webgpu": sum(provider == "WebGpuExecutionProvider" for provider, _, _ in ran),
    }
    left = {op for provider, op, _ in ran if provider == "CPUExecutionProvider"}
    assert left == {blocker.operator.removeprefix("ai.onnx:") for blocker in found.blockers}
    assert any(blocker.reason == "the provider has no kernel for it" for blocker in found.blockers)
    assert found.inserted.get("webgpu", 0) > 0
