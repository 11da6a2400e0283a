"""`edgekit build --dry-run` of a project: the figures of every pair, the same as of each model by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit import commands, console

pytestmark = pytest.mark.unit
TARGETS = ("linux-cpu", "ios-cpu")


def planned(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    assert commands.main(["build", *words, "--dry-run", "--json"]) == code
    console.configure()
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_a_projects_plan_has_the_figures_of_its_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pairs = [f"--target={name}" for name in TARGETS]
    assert commands.main(["init", "smollm2-135m-instruct", "gone.onnx", *pairs, "--yes"]) == 0
    capsys.readouterr()
    project = planned(capsys, code=4)
    alone = planned(capsys, "smollm2-135m-instruct", *pairs)["data"]
    names = [f"smollm2-135m-instruct/{name}" for name in TARGETS]
    for key in ("estimated", "building"):
        assert [project["data"][key][name] for name in names] == alone[key]
    assert set(project["data"]["failed"]) == {f"gone/{name}" for name in TARGETS}
    assert commands.main(["build", "--dry-run"]) == 4
    shown = capsys.readouterr().out
    megabytes = f"{alone['estimated'][0]['predicted_peak_bytes'] / 1e6:,.4g} MB"
    assert megabytes in shown and "memory there" in shown and "refused: gone/linux-cpu: there is no " in shown
    assert sorted(path.name for path in tmp_path.iterdir()) == ["edgekit.toml"]
