"""Real weights through the real Phi-3 code: SmolLM2 repacked as Phi3ForCausalLM, built by the default recipe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgekit.inputs import function_calls
from edgekit.sources import Source, open_source
from tests.e2e.command import edgekit, judged, manifest
from tests.engines.wrappers.conformance_calls import with_answers
from tests.engines.wrappers.runtimes import InProcess
from tests.nightly import bfcl
from tests.olive import phi3_twin

pytestmark = pytest.mark.olive

QUESTION = "What is the capital of France?"


@pytest.fixture(scope="module")
def llama() -> Source:
    return open_source("smollm2-135m-instruct")


@pytest.fixture(scope="module")
def twin(llama: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return phi3_twin.make(llama.path, tmp_path_factory.mktemp("twin") / "smollm2-as-phi3")


def logits(folder: Path) -> Any:
    """Of QUESTION's tokens, [tokens, vocabulary], float32."""
    import torch
    import transformers

    hf: Any = transformers
    ids = hf.AutoTokenizer.from_pretrained(str(folder))(QUESTION, return_tensors="pt")
    with torch.no_grad():
        return hf.AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32).eval()(**ids).logits[0]


def test_the_same_weights_compute_the_same(llama: Source, twin: Path) -> None:
    phi = open_source(str(twin)).model
    assert phi.architecture == "Phi3ForCausalLM" and phi.llm == llama.model.llm
    assert phi.parameters == llama.model.parameters
    assert (logits(twin) - logits(llama.path)).abs().max().item() < 1e-4


@pytest.mark.nightly
def test_its_bundle_passes_the_gate_and_answers(twin: Path, tmp_path: Path) -> None:
    """The default recipe: at most 0.55 of the bf16 weights, with the projections that Phi-3 fuses in more bits."""
    built = edgekit("build", twin, "--target", "linux-cpu", "--quality", "fast", "-o", tmp_path)["data"]["bundles"][0]
    described = manifest(Path(built["path"]))
    assert described["model"]["architecture"] == "Phi3ForCausalLM"
    assert judged(described)["verdict"] == "pass"
    size = sum(file["size"] for file in described["files"] if file["role"] == "model")
    assert size <= 0.55 * described["model"]["parameters"] * 2
    command = [sys.executable, "-m", "edgekit", "run", built["path"], QUESTION]
    assert "Paris" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # tests/nightly/test_function_calls.py has sixty cases, and both runtimes.
    for family, told in bfcl.FAMILIES.items():
        bundle = with_answers(Path(built["path"]), tmp_path / family, **told)
        tally = bfcl.ask(InProcess(), bundle, function_calls.cases(tools=True)[:1])
        assert tally.asked == 1 and not tally.wrong and not tally.unheard
