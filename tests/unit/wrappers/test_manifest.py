"""Names, versions and engines: what conformance.py does not reach from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.wrappers.python import manifest
from edgekit.wrappers.python.bundle import open_bundle
from edgekit.wrappers.python.llm import LlmBundle, Sampling

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("name", "one"),
    [("arm64-v8a", "aarch64"), ("arm64", "aarch64"), ("AMD64", "x86_64"), ("x86_64", "x86_64"), ("riscv64", "riscv64")],
)
def test_one_name_for_one_architecture(name: str, one: str) -> None:
    assert manifest.abi(name) == one


@pytest.mark.parametrize(
    ("here", "floor", "enough"),
    [
        ("1.24.0", "1.24.0", True),
        ("1.24.0", "1.24", True),
        ("1.24", "1.24.0", False),  # a version that says less is not trusted to be more
        ("1.100.0", "1.24.0", True),
        ("1.9.0", "1.24.0", False),
        ("1.24.0rc1", "1.24.0", True),
        ("1.24.1+cu12", "1.24.1", True),
        ("1.24.0-dev", "1.24.1", False),
        ("2.0", "1.99.9", True),
    ],
)
def test_versions(here: str, floor: str, enough: bool) -> None:
    assert (manifest._numbers(here) >= manifest._numbers(floor)) is enough


def test_a_missing_engine_is_named_with_its_pip_line() -> None:
    with pytest.raises(manifest.Refused) as caught:
        manifest.engine("onnxruntime_teapot")
    assert caught.value.code == "tool-missing" and caught.value.axis == "onnxruntime_teapot"
    assert caught.value.next == "pip install onnxruntime-teapot"


def test_a_bundle_is_run_with_nothing_of_edgekit(llm_bundle: Path, tmp_path: Path) -> None:
    """By its own runtime, in an interpreter of its own; telemetry is off before an engine is loaded."""
    script = (
        "import os, sys\n"
        "from edgekit_runtime import Refused, open_bundle\n"
        "bundle = open_bundle(sys.argv[1], hashes=True)\n"
        "assert 'edgekit' not in sys.modules and os.environ['ORT_DISABLE_TELEMETRY'] == '1'\n"
        "print(ascii(''.join(bundle.generate([{'role': 'user', 'content': 'the'}], max_tokens=8))))\n"
        "try: open_bundle(sys.argv[1], 'nonsense')\n"
        "except Refused as error: print(error.code)\n"
    )
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "ORT_DISABLE_TELEMETRY")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, str(llm_bundle)],
        env={**env, "PYTHONPATH": str(llm_bundle / "runtime/python")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer, code = done.stdout.splitlines()
    assert len(answer) > 3 and code == "usage"


def test_drawn_answers_depend_on_the_seed(llm_bundle: Path) -> None:
    bundle = open_bundle(llm_bundle)
    assert isinstance(bundle, LlmBundle)

    def tokens(seed: int) -> list[int]:
        answer = bundle.generate("the", max_tokens=20, sampling=Sampling(temperature=2.0, seed=seed))
        list(answer)
        return answer.tokens

    assert tokens(1) == tokens(1) != tokens(2)


def test_threads_reach_the_engine(llm_bundle: Path, tensor_bundle: Path) -> None:
    for bundle in (llm_bundle, tensor_bundle):
        assert open_bundle(bundle, threads=1).opened.threads == 1
