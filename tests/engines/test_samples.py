"""The Linux sample in Python answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines.wrappers.runtimes import InProcess

pytestmark = pytest.mark.runtimes

ROOT = Path(__file__).parents[2]


def run_linux(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "mobile_samples/linux/ask.py", *words]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)


def test_the_linux_sample_answers_as_the_runtime_does(llm_bundle: Path) -> None:
    done = run_linux(llm_bundle, "Hello")
    question = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 256, "temperature": 0, "top_p": 1}
    pieces = [event["text"] for event in InProcess().act("generate", llm_bundle, **question).events]
    assert done.returncode == 0 and pieces, done.stderr
    assert done.stdout == "".join(pieces) + "\n"


def test_the_linux_sample_says_what_it_cannot_do(tensor_bundle: Path, tmp_path: Path) -> None:
    assert "no language model" in run_linux(tensor_bundle, "Hello").stderr
    assert "usage" in run_linux(tmp_path).stderr
