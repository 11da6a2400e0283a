"""A project's jobs, and the workflow's text: what it holds to the lock, and what it never takes from a name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgekit import __version__
from edgekit.commands import _project
from edgekit.errors import UsageError
from edgekit.project import ci, pairs
from tests.unit.project.test_file import WHOLE, project

pytestmark = pytest.mark.unit


@pytest.fixture
def jobs(tmp_path: Path) -> list[pairs.Pair]:
    return pairs.of(project(tmp_path, WHOLE), tmp_path)


def test_a_job_for_each_pair(tmp_path: Path, jobs: list[pairs.Pair]) -> None:
    listed = ci.matrix(jobs, tmp_path)["include"]
    assert listed[0] == {
        "model": "ocr",
        "target": "linux-cpu",
        "name": "ocr-linux-cpu",
        "bundle": "made/ocr-linux-cpu",
        "host": True,
        "device": "local",
    }
    assert [entry["host"] for entry in listed] == [True, False, True]
    assert [entry["name"] for entry in ci.matrix(jobs, tmp_path, devices=True)["include"]] == [
        "ocr-linux-cpu",
        "chat-linux-cpu",
    ]


@pytest.mark.parametrize("locked", [True, False])
def test_the_workflow(jobs: list[pairs.Pair], locked: bool) -> None:
    text = ci.workflow(jobs, locked=locked)
    assert not re.search(r"@[A-Z]+@", text)
    assert ("edgekit build --locked " in text) is locked
    read: dict[str, Any] = yaml.safe_load(text)
    steps = [step for job in read["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used and all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", entry) for entry in used), (
        "an action is pinned by its commit"
    )
    # A value of the matrix reaches a shell through its environment alone: a name could be a command.
    assert not any("${{" in step.get("run", "") for step in steps)
    assert read["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("locked", [True, False])
def test_azures_pipeline_does_what_gitlabs_does(tmp_path: Path, jobs: list[pairs.Pair], locked: bool) -> None:
    """GitLab's jobs are run in a test; Azure's have the same commands, in the same order, and as many legs."""
    text = ci.azure(jobs, tmp_path, locked=locked)
    assert not re.search(r"@[A-Z]+@", text)
    azure: dict[str, Any] = yaml.safe_load(text)
    gitlab: dict[str, Any] = yaml.safe_load(ci.pipeline(jobs, tmp_path, locked=locked))
    for job in azure["jobs"]:
        told = gitlab[job["job"]]
        lines = [step["bash"] for step in job["steps"] if "bash" in step and not step["bash"].startswith("mkdir")]
        wanted = [line.replace("$EDGEKIT_FROM", "${EDGEKIT_FROM:-$EDGEKIT_BY_DEFAULT_FROM}") for line in told["script"]]
        assert [line.replace("$PIPELINE_WORKSPACE/$NAME/$NAME.zip", "$BUNDLE.zip") for line in lines] == wanted
        assert list(job["strategy"]["matrix"].values()) == told["parallel"]["matrix"]
        assert all(re.fullmatch(r"[A-Za-z]\w{0,99}", name) for name in job["strategy"]["matrix"])
        # A value of the matrix reaches a shell through its environment alone: a name could be a command.
        assert not any("$(" in line for line in lines)
    assert [job["job"] for job in azure["jobs"]] == ["build", "device"]
    assert ("edgekit.lock" in azure["jobs"][0]["steps"][1]["inputs"]["key"]) is locked
    assert azure["variables"]["EDGEKIT_BY_DEFAULT_FROM"] == f"=={__version__}"


def test_where_the_workflow_finds_edgekit(jobs: list[pairs.Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    class Installed:
        def __init__(self, origin: str | None) -> None:
            self.origin = origin

        def read_text(self, name: str) -> str | None:
            return self.origin

    def says(origin: str | None, asked: str = "") -> str:
        monkeypatch.setattr(ci, "distribution", lambda name: Installed(origin))
        read: dict[str, Any] = yaml.safe_load(ci.workflow(jobs, locked=False, origin=asked))
        return str(read["env"]["EDGEKIT_FROM"])

    version = f"${{{{ vars.EDGEKIT_FROM || '=={__version__}' }}}}"
    commit = '{"url": "https://here/edgekit", "vcs_info": {"vcs": "git", "commit_id": "1f2e"}}'
    assert says(None) == says('{"url": "file:///w", "dir_info": {"editable": true}}') == version
    assert says(commit) == "${{ vars.EDGEKIT_FROM || '@ git+https://here/edgekit@1f2e' }}"
    assert says(commit, "git+https://it's@2") == "${{ vars.EDGEKIT_FROM || '@ git+https://it''s@2' }}"


def test_a_bundle_of_the_project_is_checked_on_its_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        'targets = ["linux-cpu", "linux-arm64"]\n[devices]\nlinux-arm64 = "ssh:board"\n[models.n]\nsource = "n.onnx"\n'
    )
    (tmp_path / "edgekit.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert _project.device_of(Path("out/n-linux-arm64")) == "ssh:board"
    assert _project.device_of(Path("out/n-linux-cpu")) == _project.device_of(Path("other/n-linux-arm64")) == ""
    (tmp_path / "edgekit.toml").write_text("[", encoding="utf-8")
    assert _project.device_of(tmp_path.parent / "elsewhere") == "", "a bundle of nobody's project"
    with pytest.raises(UsageError):
        _project.device_of(Path("out/n-linux-cpu"))
