"""Real models, built in two environments: the same bytes, or the lock names the step whose floats the CPU decides."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgekit import commands
from tests.olive import elsewhere, test_project, tiny_llm

pytestmark = pytest.mark.nightly

PROJECT = """
zip = true
targets = ["linux-cpu"]
[models.lines]
source = "ppocrv4-rec"
[models.vectors]
source = "all-minilm-l6-v2"
[models.words]
source = "words"
accept_source = true
limits = { top1_agreement = { min = 0.5 }, eos_rate = { min = 0.1 } }
"""
FLOATS = {"gate", "goldens"}  # steps whose floats the CPU decides, as the lock says of them


def build(folder: Path, *before: str, **variables: str) -> tuple[dict[str, dict[str, Any]], dict[str, bytes]]:
    """The bundles that a lock names, and the zips, of a project that is made in an empty folder."""
    folder.mkdir()
    tiny_llm.phi3(folder / "words")
    (folder / "edgekit.toml").write_text(PROJECT, encoding="utf-8")
    own = {"EDGEKIT_CACHE": str(folder / "cache"), "HOME": str(folder)}
    done = subprocess.run(
        [*before, sys.executable, "-m", "edgekit", "build", "-q"],
        cwd=folder,
        env=os.environ | own | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    locked: dict[str, dict[str, Any]] = json.loads((folder / "edgekit.lock").read_text(encoding="utf-8"))["bundles"]
    return locked, {path.name: path.read_bytes() for path in (folder / "out").glob("*.zip")}


def test_a_toy_elsewhere_from_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One pair at a time here, two at once there, held to the lock: the zips are identical."""
    here, there = tmp_path / "here", tmp_path / "dort, ü"
    test_project.write(here)
    shutil.copytree(here, there)
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(here)
    words = ["build", "--zip", "-q", "--only", "target=linux-cpu,model=first", "--only", "model=second"]
    assert commands.main(words) == 0
    shutil.copy(here / "edgekit.lock", there)
    environment = os.environ | elsewhere.VARIABLES | {"EDGEKIT_CACHE": str(there / "cache"), "HOME": str(there)}
    command = [*elsewhere.on_one_core(), sys.executable, "-m", "edgekit", *words, "--locked", "--jobs", "2"]
    done = subprocess.run(command, cwd=there, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    zips = [{path.name: path.read_bytes() for path in (at / "out").glob("*.zip")} for at in (here, there)]
    assert len(zips[0]) == 2 and zips[0] == zips[1]


def test_two_environments(tmp_path: Path) -> None:
    here, ours = build(tmp_path / "here")
    there, theirs = build(tmp_path / "dort, ü", *elsewhere.on_one_core(), **elsewhere.VARIABLES)
    assert set(ours) == set(theirs) == {f"{name}-linux-cpu.zip" for name in ("lines", "vectors", "words")}
    for name, entry in here.items():
        other = there[name]
        differ = {step for step in entry["steps"] if entry["steps"][step] != other["steps"][step]}
        print(f"{name}: {', '.join(sorted(differ)) or 'identical'}")
        assert (ours[f"{name.replace('/', '-')}.zip"] == theirs[f"{name.replace('/', '-')}.zip"]) is not bool(differ)
        assert differ <= FLOATS and {**entry, "bundle": "", "steps": {}} == {**other, "bundle": "", "steps": {}}
