"""The workflow of GitHub: read by its linter, and its shell steps run one by one, as its runner would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from onnx import helper

from edgekit import __version__, commands
from edgekit.data import jsonable, pretty
from tests import needs
from tests.peers import actionlint
from tests.unit.inputs.nets import save, value
from tests.unit.verdicts.test_baseline import STEADY, result

pytestmark = pytest.mark.tools

ROOT = Path(__file__).parents[3]
GH = """#!/bin/sh
case "$1 $2" in
"run list") echo 5 ;;
"run download") mkdir -p before/net-device && cp unpacked/net.baseline.json before/net-device/ ;;
"pr comment") { echo "$3"; cat comment.md; } > posted ;;
esac
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one model and two targets, of which one is this machine's, with its workflow."""
    weights = np.random.default_rng(1).normal(0, 0.2, (64, 32)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"], name="l"), helper.make_node("Softplus", ["m"], ["y"])]
    save(tmp_path / "net.onnx", nodes, [value("x", [4, 64])], [value("y", [4, 32])], {"w": weights})
    text = 'targets = ["linux-cpu", "linux-arm64"]\n[devices]\nlinux-cpu = "local"\n[models.net]\nsource = "net.onnx"\n'
    (tmp_path / "edgekit.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert commands.main(["ci", "init", "github", "-q"]) == 0
    return tmp_path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the linter may write; skips where there is none."""
    made = tmp_path_factory.mktemp("linter")
    try:
        actionlint.findings("", made)
    except (OSError, RuntimeError) as error:
        needs.unavailable(str(error))
    return made


def test_the_linter_finds_nothing(home: Path, folder: Path) -> None:
    text = (home / ".github/workflows/edgekit.yml").read_text(encoding="utf-8")
    assert actionlint.findings(text, folder) == []
    wrong = text.replace("needs: pairs", "needs: nobody").replace("matrix.host", "matrix.host ==", 1)
    assert len(actionlint.findings(wrong, folder)) > 2


def test_our_own_workflow(home: Path, folder: Path) -> None:
    """The linter finds nothing in it, and its project is one that can be planned."""
    text = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    assert actionlint.findings(text, folder) == []
    steps = yaml.safe_load(text)["jobs"]["bundles"]["steps"]
    (home / "edgekit.toml").unlink()
    _run([step for step in steps if "run" in step], {}, home)
    assert [step["with"]["run"] for step in steps if step.get("uses") == "./"] == ["build -q"]
    assert commands.main(["ci", "matrix"]) == 0
    used = [step["uses"] for step in steps if "uses" in step and step["uses"] != "./"]
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action) for action in used)


@pytest.mark.parametrize("way", ["a wheel in the repository", "a variable", "the option"])
def test_it_installs_an_edgekit_that_is_on_no_index(home: Path, tmp_path: Path, way: str) -> None:
    """By pip, which knows no index here: a wheel without edgekit's dependencies."""
    wheel = _wheel(home / "wheels" if way == "a wheel in the repository" else tmp_path / "elsewhere")
    if way == "the option":
        assert commands.main(["ci", "init", "github", "--force", "-q", "--edgekit", wheel.as_uri()]) == 0
    read = yaml.safe_load((home / ".github/workflows/edgekit.yml").read_text(encoding="utf-8"))
    default = re.fullmatch(r"\$\{\{ vars.EDGEKIT_FROM \|\| '(.*)' \}\}", read["env"]["EDGEKIT_FROM"])
    assert default is not None
    into = tmp_path / "into"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PIP_CONSTRAINT": "", "PIP_NO_INDEX": "1", "PIP_TARGET": str(into)}
    environment["PIP_FIND_LINKS"] = read["env"]["PIP_FIND_LINKS"]
    environment["EDGEKIT_FROM"] = f"@ {wheel.as_uri()}" if way == "a variable" else default[1]
    steps = [step for job in read["jobs"].values() for step in job["steps"] if step.get("name") == "Install edgekit"]
    lines = {step["run"] for step in steps}
    assert len(lines) == 2, "with what builds, and without"
    script = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", max(lines, key=len)]
    done = subprocess.run(script, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and list(into.glob("edgekit_ai-*")), done.stdout + done.stderr


def _wheel(folder: Path) -> Path:
    """A wheel that is called as edgekit's, has its extras, and nothing in it."""
    folder.mkdir()
    name = f"edgekit_ai-{__version__}"
    facts = f"Metadata-Version: 2.1\nName: edgekit-ai\nVersion: {__version__}\n"
    facts += "Provides-Extra: build\nProvides-Extra: lint\n"
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.dist-info/METADATA", facts)
        wheel.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{name}.dist-info/RECORD", "")
    return folder / f"{name}-py3-none-any.whl"


def test_its_steps_build_what_a_build_does(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    read = yaml.safe_load((home / ".github/workflows/edgekit.yml").read_text(encoding="utf-8"))
    outputs = _run(read["jobs"]["pairs"]["steps"], {}, home)
    matrix = json.loads(outputs["matrix"])["include"]
    assert [finding["target"] for finding in matrix] == ["linux-cpu", "linux-arm64"]
    build = read["jobs"]["build"]
    sealed = {}
    for job in matrix:
        _run(build["steps"], {"matrix": job}, home, build["env"])
        sealed[job["name"]] = json.loads((home / job["bundle"] / "edgekit.json").read_text(encoding="utf-8"))["sha256"]
        assert (home / f"{job['bundle']}.zip").is_file()
    unpack = [step for step in read["jobs"]["device"]["steps"] if step.get("name") == "Unpack"]
    (home / "fetched").mkdir()
    os.link(home / "out/net-linux-cpu.zip", home / "fetched/net-linux-cpu.zip")
    _run(unpack, {"env": {"NAME": "net-linux-cpu"}}, home, {"NAME": "${{ env.NAME }}"})
    assert commands.main(["verify", "unpacked/net-linux-cpu", "-q"]) == 0
    assert "net-linux-cpu" in (home / "summary.md").read_text(encoding="utf-8")
    assert (home / "out/net-linux-cpu.xml").is_file() and not (home / "out/net-linux-arm64.xml").exists()
    capfd.readouterr()
    assert commands.main(["build", "-q", "--json"]) == 0
    bundles = json.loads(capfd.readouterr().out)["data"]["bundles"]
    assert {Path(finding["path"]).name: finding["sha256"] for finding in bundles.values()} == sealed
    assert all(finding["unchanged"] for finding in bundles.values())


def test_its_comment_is_written_from_the_artifacts(home: Path) -> None:
    """`gh` is a script of the test's own: it gives the artifacts of the main branch, and keeps what is posted."""
    read = yaml.safe_load((home / ".github/workflows/edgekit.yml").read_text(encoding="utf-8"))
    steps = {
        step["name"]: step["run"]
        for job in ("device", "comment")
        for step in read["jobs"][job]["steps"]
        if "name" in step
    }
    slower = tuple(value * 0.8 for value in STEADY)
    for folder, values in (("unpacked", STEADY), ("now/net-device", slower)):
        (home / folder).mkdir(parents=True)
        (home / folder / "net.result.json").write_text(pretty(jsonable(result(*values))), encoding="utf-8")
    (home / "bin").mkdir()
    (home / "bin" / "gh").write_text(GH, encoding="utf-8")
    (home / "bin" / "gh").chmod(0o755)
    path = f"{home / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "NAME": "net", "NUMBER": "7"}
    for name in ("Save the baseline", "Fetch the baselines", "Write the comment", "Post the comment"):
        script = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", steps[name]]
        done = subprocess.run(script, cwd=home, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
    posted = (home / "posted").read_text(encoding="utf-8")
    assert posted.startswith("7\n") and "1 perhaps worse" in posted


def test_the_action_runs_the_words_that_it_is_given(home: Path) -> None:
    read = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    steps = read["runs"]["steps"]
    assert read["runs"]["using"] == "composite" and all(step.get("shell") == "bash" for step in steps if "run" in step)
    assert not any("${{" in step.get("run", "") for step in steps)
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"]) for step in steps if "uses" in step)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment |= {"WORDS": "ci matrix --compact"}
    done = subprocess.run(
        ["bash", "-e", "-c", steps[-1]["run"]], cwd=home, env=environment, capture_output=True, text=True
    )
    assert len(json.loads(done.stdout)["include"]) == 2, done.stderr


def _run(steps: list[dict[str, Any]], context: dict[str, Any], home: Path, env: dict[str, str] = {}) -> dict[str, str]:  # noqa: B006
    """The shell steps of a job, but those that install; returns what they gave as outputs."""
    outputs = home / "outputs.txt"
    outputs.write_text("", encoding="utf-8")
    words = {name: _filled(text, context) for name, text in env.items()}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    more = {"GITHUB_OUTPUT": str(outputs), "GITHUB_STEP_SUMMARY": str(home / "summary.md"), "PATH": path}
    for step in steps:
        if "run" not in step or step["name"] == "Install edgekit":
            continue
        if "matrix.host" in step.get("if", "") and not context["matrix"]["host"]:
            continue
        script = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]  # as GitHub's runner has it
        done = subprocess.run(
            script, cwd=home, env=os.environ | words | more, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{step['name']}: {done.stdout}{done.stderr}"
    return dict(line.split("=", 1) for line in outputs.read_text(encoding="utf-8").splitlines())


def _filled(text: str, context: dict[str, Any]) -> str:
    """The value of an expression that is a name of the context."""
    match = re.fullmatch(r"\$\{\{ (\w+)\.(\w+) \}\}", text)
    assert match is not None, text
    return str(context[match[1]][match[2]])
