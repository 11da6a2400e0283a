"""The pipeline for GitLab: read by its schema, and its jobs run as its runner would, each pair in one of its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from edgekit import commands
from tests import needs
from tests.engines.project.test_github import _wheel
from tests.peers import gitlab_ci_local
from tests.unit.inputs.nets import save, value

pytestmark = pytest.mark.tools

PROJECT = (
    'targets = ["linux-cpu"]\n[devices]\nlinux-cpu = "local"\n[models.net]\nsource = "net.onnx"\nrecipe = "float32"\n'
)
Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one pair with its pipeline, and a wheel that is called as edgekit's."""
    from onnx import helper

    folder = tmp_path / "project"
    folder.mkdir()
    nodes = [helper.make_node("Softplus", ["x"], ["y"], name="l")]
    save(folder / "net.onnx", nodes, [value("x", [4, 64])], [value("y", [4, 64])], {})
    (folder / "edgekit.toml").write_text(PROJECT, encoding="utf-8")
    _wheel(folder / "wheels")
    monkeypatch.chdir(folder)
    assert commands.main(["ci", "init", "gitlab", "-q"]) == 0
    return folder


@pytest.fixture
def run(home: Path, tmp_path: Path) -> Run:
    """Runs gitlab-ci-local there; pip knows no index, and installs into a folder that nobody imports."""

    def call(*words: str) -> CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        pip = {"PIP_NO_INDEX": "1", "PIP_TARGET": str(tmp_path / "installed")}
        try:
            return gitlab_ci_local.run(home, *words, PATH=path, **pip)
        except (OSError, RuntimeError) as error:
            needs.unavailable(str(error))

    return call


@pytest.mark.nightly
def test_its_jobs_build_what_a_build_does(home: Path, run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    done = run("build", "--needs")
    assert done.returncode == 0, done.stdout + done.stderr
    made = json.loads((home / "out/net-linux-cpu/edgekit.json").read_text(encoding="utf-8"))["sha256"]
    assert all((home / f"out/net-linux-cpu.{ending}").is_file() for ending in ("zip", "sarif", "xml", "result.json"))
    assert list((home.parent / "installed").glob("edgekit_ai-*"))
    capfd.readouterr()
    assert commands.main(["build", "-q", "--json"]) == 0
    (bundle,) = json.loads(capfd.readouterr().out)["data"]["bundles"].values()
    assert bundle["sha256"] == made


def test_what_gitlab_makes_of_it(home: Path, run: Run) -> None:
    """Its jobs have the words of their pairs; what is no pipeline is refused by the schema."""
    listed = run("--list-json")
    assert listed.returncode == 0, listed.stdout + listed.stderr
    assert len(json.loads(listed.stdout)) == 2
    path = home / ".gitlab-ci.yml"
    text = path.read_text(encoding="utf-8")
    jobs: dict[str, Any] = yaml.safe_load(text)
    (pair,) = jobs["build"]["parallel"]["matrix"]
    assert pair["BUNDLE"] == "out/net-linux-cpu" and pair["HOST"] == "yes" and pair["DEVICE"] == "local"
    path.write_text(text.replace("  parallel:", "  paralel:"), encoding="utf-8")
    wrong = run("--list-json")
    assert wrong.returncode != 0 and "paralel" in wrong.stdout + wrong.stderr


def test_what_is_not_written(home: Path) -> None:
    before = (home / ".gitlab-ci.yml").read_bytes()
    assert commands.main(["ci", "init", "gitlab"]) == 2
    assert commands.main(["ci", "init", "gitlab", "--force", "--mobile"]) == 2
    assert (home / ".gitlab-ci.yml").read_bytes() == before
