"""The Linux sample's C++ program: its project is made, compiled by its own CMake, and answers."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit import sample
from edgekit.devices._runner import LIBRARY
from tests.engines.sample.conftest import TURNS, shown

pytestmark = pytest.mark.tools


@pytest.fixture(scope="module")
def project(chatting_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("linux") / "project"
    sample.make("linux", chatting_bundle, folder)
    return folder


@pytest.fixture(scope="module")
def program(project: Path, runner: Path) -> Path:
    """Compiled beside the core of this checkout, which is built once for all tests."""
    return compiled(project, f"-DEDGEKIT_LIBRARY={runner.parent / LIBRARY}")


def compiled(project: Path, *settings: str) -> Path:
    for words in (["-S", ".", "-B", "build", *settings], ["--build", "build", "--target", "sample", "--parallel", "2"]):
        done = subprocess.run(["cmake", *words], cwd=project, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return project / "build/sample"


def run(program: Path, *words: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [str(word) for word in (program, *words)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=60)


def test_it_chats(program: Path, project: Path, conversation: list[str]) -> None:
    """Each turn is answered with the turns before: as the Python runtime answers the same conversation."""
    done = run(program, project / "bundle", stdin="".join(f"{turn}\n" for turn in TURNS))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(f"{answer}\n" for answer in conversation)
    assert done.stderr == "> " * (len(TURNS) + 1)


def test_a_turn_without_memory_for_its_answer_is_no_turn(program: Path, project: Path, conversation: list[str]) -> None:
    done = run(program, project / "bundle", stdin=f"{'the ' * 5000}\n{TURNS[0]}\n")
    assert done.returncode == 0 and done.stdout == f"{conversation[0]}\n"
    assert "4096" in done.stderr


def test_it_runs_tensors(program: Path, tensor_bundle: Path, tensors: tuple[Path, dict[str, Any]]) -> None:
    path, expected = tensors
    done = run(program, tensor_bundle, f"x=float32:1,3,8,8:{path}", "scores", "best", "sure")
    assert done.returncode == 0, done.stderr
    told = shown(done.stdout)
    assert {name: told[name][:2] for name in told} == {
        name: (str(array.dtype), ",".join(map(str, array.shape))) for name, array in expected.items()
    }
    np.testing.assert_allclose(told["scores"][2], expected["scores"].ravel(), rtol=1e-6)
    assert told["best"][2] == [*expected["best"]] and told["sure"][2] == []


def test_it_says_what_it_cannot_do(program: Path, tensor_bundle: Path, tmp_path: Path) -> None:
    for words, said in {
        (): "usage:",
        (tmp_path,): "edgekit.json",
        (tensor_bundle, "x=float32"): "is no NAME=TYPE:SIZE,SIZE:FILE",
        (tensor_bundle, f"x=float32:1:{tmp_path}/none"): "cannot read",
        (tensor_bundle, "scores"): "x",
    }.items():
        done = run(program, *words)
        assert done.returncode == 1 and said in done.stderr and done.stdout == "", done


def test_it_shows_the_licences(program: Path, project: Path) -> None:
    shows = run(program, "--licences").stdout
    assert shows == (project / "LICENSES.txt").read_text(encoding="utf-8") and "Niels Lohmann" in shows


def test_it_ends_without_an_engine(project: Path) -> None:
    done = subprocess.run(["cmake", "-S", ".", "-B", "bare"], cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode and "no ONNX Runtime in engines/" in done.stderr


@pytest.mark.nightly
def test_the_commands_that_are_printed(chatting_bundle: Path, tmp_path: Path, conversation: list[str]) -> None:
    """As they stand, with the core out of the project's own sources and the engines of pip."""
    made = sample.make("linux", chatting_bundle, tmp_path / "project")
    commands = [*made.steps[:2], f"printf '{TURNS[0]}\\n' | {made.steps[2]}"]
    engines = [f"{name}=={version(name)}" for name in ("onnxruntime", "onnxruntime-genai")]  # its target names none
    commands[0] = " ".join([commands[0].replace("python3", sys.executable, 1), *engines])
    for command in commands:
        done = subprocess.run(
            command, shell=True, cwd=made.path, capture_output=True, text=True, timeout=900, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.stdout == f"{conversation[0]}\n"
    answered = subprocess.run(
        [sys.executable, "ask.py", "bundle", TURNS[0]],
        cwd=made.path,
        env={**os.environ, "PYTHONPATH": "engines"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answered.stdout == done.stdout, answered.stderr
