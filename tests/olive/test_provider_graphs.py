"""Language models built for DirectML and WebGPU, through Olive for real: whose graph it is, and that it still computes.

DirectML's graph is run on the CPU, which has kernels for all of its float16 operators; WebGPU's on a software GPU.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit import partition, tools
from tests.olive import tiny_llm
from tests.peers import swiftshader

pytestmark = pytest.mark.olive
HERE = Path(__file__).parent
GPU = ("windows-directml", "windows-webgpu")
WANTED = {
    "llama": ["int4_mixed", "llm_float32", *(f"{one}@{gpu}" for gpu in GPU for one in ("int4_mixed", "llm_float16"))],
    "phi3": ["int4_mixed", *(f"int4_mixed@{gpu}" for gpu in GPU)],
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """{"llama/int4_mixed@windows-directml": the GenAI folder, ...}, with "wide" for a WebGPU without float16."""
    folder = tmp_path_factory.mktemp("graphs")
    wide = swiftshader.target(folder)
    found: dict[str, Path] = {}
    for name, make in (("llama", tiny_llm.llama), ("phi3", tiny_llm.phi3)):
        source = make(folder / name)
        wanted = [*WANTED[name], f"int4_mixed@{wide}"]
        argv = [sys.executable, HERE / "build_recipes.py", source, folder / f"{name}-out", *wanted]
        done = tools.run(argv, timeout=600, env={**os.environ, **tools.QUIET_ENGINES, "HF_HUB_OFFLINE": "1"})
        assert done.returncode == 0, done.stderr[-2000:]
        errors = json.loads(done.stdout.strip().splitlines()[-1])
        assert not any(errors.values()), errors
        found |= {f"{name}/{one}": folder / f"{name}-out" / one / "model" for one in errors}
    return found


def graph(folder: Path) -> Any:
    import onnx

    return onnx.load(str(folder / "model.onnx"), load_external_data=False).graph


def logits(folder: Path, ep: str = "cpu", environment: Mapping[str, str] | None = None) -> np.ndarray[Any, Any]:
    """float32 [60, vocabulary] of a fixed text."""
    ids, out = folder / "ids.npy", folder / f"{ep}.npy"
    np.save(ids, np.random.default_rng(0).integers(6, tiny_llm.VOCAB, 60))
    command = [sys.executable, HERE / "run_on_provider.py", folder, ep, ids, out]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: np.ndarray[Any, Any] = np.load(out)
    return found


def divergence(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    """Mean KL of a from b, in nats."""
    from edgekit.quality import _stats

    return float(_stats.kl_divergence(*(_stats.log_softmax(one.copy()) for one in (a, b))).mean())


@pytest.mark.parametrize("architecture", ["llama", "phi3"])
@pytest.mark.parametrize(("target", "provider"), [("windows-directml", "dml"), ("windows-webgpu", "webgpu")])
def test_the_configuration_names_the_provider_and_the_graph_is_in_float16(
    models: dict[str, Path], architecture: str, target: str, provider: str
) -> None:
    import onnx

    folder = models[f"{architecture}/int4_mixed@{target}"]
    decoder = json.loads((folder / "genai_config.json").read_text())["model"]["decoder"]
    assert [list(one) for one in decoder["session_options"]["provider_options"]] == [[provider]]
    made = graph(folder)
    half = onnx.TensorProto.FLOAT16
    types = {one.name: one.type.tensor_type.elem_type for one in (*made.input, *made.output)}
    assert {kind for name, kind in types.items() if name.startswith(("past", "present", "logits"))} == {half}
    scales = {node.input[2] for node in made.node if node.op_type == "MatMulNBits"}
    assert {one.data_type for one in made.initializer if one.name in scales} == {half}


def test_directmls_graph_has_no_operator_that_directml_lacks(models: dict[str, Path]) -> None:
    """But for the length of the mask, which ONNX Runtime computes on the CPU for every GPU."""
    for architecture in ("llama", "phi3"):
        folder = models[f"{architecture}/int4_mixed@windows-directml"]
        operators = Counter(node.op_type for node in graph(folder).node)
        assert "GatherBlockQuantized" not in operators and operators["RotaryEmbedding"] > 0
        placed = partition.predict(folder / "model.onnx", "dml")
        assert placed.coverage > 0.999
        assert {one.operator for one in placed.blockers} <= {"ai.onnx:Gather", "ai.onnx:Cast", "ai.onnx:Shape"}
    cpu = partition.predict(models["llama/int4_mixed"] / "model.onnx", "dml")
    assert "com.microsoft:GatherBlockQuantized" in {one.operator for one in cpu.blockers}


def test_directmls_rows_have_an_even_number_of_blocks(models: dict[str, Path]) -> None:
    nodes = [node for node in graph(models["phi3/int4_mixed@windows-directml"]).node if node.op_type == "MatMulNBits"]
    for node in nodes:
        values = {one.name: one.i for one in node.attribute}
        assert values["K"] % (2 * values["block_size"]) == 0
    assert nodes


@pytest.mark.parametrize("target", GPU)
def test_float16_graphs_compute_what_the_cpus_float32_graph_does(models: dict[str, Path], target: str) -> None:
    exact = logits(models["llama/llm_float32"])
    assert divergence(exact, logits(models[f"llama/llm_float16@{target}"])) < 1e-5
    quantized = divergence(exact, logits(models["llama/int4_mixed"]))
    assert divergence(exact, logits(models[f"llama/int4_mixed@{target}"])) < 1.2 * quantized


@pytest.mark.tools
@pytest.mark.parametrize("architecture", ["llama", "phi3"])
def test_webgpu_computes_what_the_cpu_does(models: dict[str, Path], architecture: str) -> None:
    """Evidence: simulated. The same graph but in float32, as SwiftShader has no float16; the CPU's products too."""
    environment = swiftshader.environment()
    folder = models[f"{architecture}/int4_mixed@wide"]
    narrow = Counter(node.op_type for node in graph(models[f"{architecture}/int4_mixed@windows-webgpu"]).node)
    wide = Counter(node.op_type for node in graph(folder).node)
    narrow.pop("Cast"), wide.pop("Cast")  # of scales that are stored in half precision
    assert wide == narrow
    assert divergence(logits(folder), logits(folder, "webgpu", environment)) < 1e-6


@pytest.mark.tools
def test_webgpu_takes_the_whole_of_its_graph(models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in swiftshader.environment().items():
        monkeypatch.setenv(name, value)
    placed = partition.measure(models["llama/int4_mixed@windows-webgpu"] / "model.onnx", "webgpu")
    assert placed.evidence == "simulated" and placed.coverage > 0.999
