"""Names, versions and engines: what conformance.py does not reach from outside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.wrappers.python import engines, manifest
from edgekit.wrappers.python.bundle import open_bundle
from edgekit.wrappers.python.llm import LlmBundle, Sampling

pytestmark = pytest.mark.runtimes


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


def test_the_onnxruntime_that_is_named_is_loaded(llm_bundle: Path) -> None:
    """By GenAI, from a file: its name has the version; the one that Python imports has another file."""
    open_bundle(llm_bundle)
    genais = engines.of_genai(sys.modules["onnxruntime_genai"])
    assert genais == manifest.version("onnxruntime", in_genai=True)
    if (maps := Path("/proc/self/maps")).is_file():  # Linux
        text = maps.read_text(encoding="utf-8")
        assert {genais} == set(re.findall(r"/libonnxruntime\.so\.(\S+)$", text, re.MULTILINE))


def test_threads_reach_the_engine(llm_bundle: Path, tensor_bundle: Path) -> None:
    for bundle in (llm_bundle, tensor_bundle):
        assert open_bundle(bundle, threads=1).opened.threads == 1
