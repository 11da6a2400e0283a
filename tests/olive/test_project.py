"""A project from an empty cache, again without work, after a change, and held to its lock."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from edgekit import commands
from edgekit.project import schedule
from edgekit.project.schedule import Task
from tests.engines.project.test_schedule import Peak
from tests.unit.inputs.nets import save, value

pytestmark = pytest.mark.olive

PROJECT = """
targets = ["linux-cpu", "linux-arm64"]
[models.first]
source = "first.onnx"
[models.second]
source = "second.onnx"
targets = ["linux-cpu"]
recipe = "int8_qdq"
calibration = "data"
[models.broken]
source = "nowhere.onnx"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of three models, of which one does not exist, with an empty cache."""
    folder = tmp_path / "project"
    write(folder)
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(folder)
    return folder


def write(folder: Path) -> None:
    """The project's file, models and calibration data."""
    (folder / "data").mkdir(parents=True)
    for at, name in enumerate(("first", "second")):
        weights = np.random.default_rng(at).normal(0, 0.2, (64, 32)).astype(np.float32)
        nodes = [helper.make_node("MatMul", ["x", "w"], ["m"], name="l"), helper.make_node("Softplus", ["m"], ["y"])]
        save(folder / f"{name}.onnx", nodes, [value("x", [4, 64])], [value("y", [4, 32])], {"w": weights})
    for at in range(24):
        np.save(folder / "data" / f"{at}.npy", np.random.default_rng(at).normal(size=(4, 64)).astype(np.float32))
    (folder / "edgekit.toml").write_text(PROJECT, encoding="utf-8")


class Watched:
    """The stages of a project as they begin, each with what runs beside it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch, self.beside = monkeypatch, list[tuple[Task, tuple[Task, ...], schedule.Budget]]()
        self.admitted = schedule.Budget.admitted

    def __enter__(self) -> Watched:
        admitted = self.admitted

        def seen(self_: Any, waiting: Any, running: Any, done: Any) -> list[Task]:
            chosen = admitted(self_, waiting, running, done)
            for at, task in enumerate(chosen):
                self.beside.append((task, (*running, *chosen[:at]), self_))
                assert task.needs <= set(done)
            return chosen

        self.monkeypatch.setattr(schedule.Budget, "admitted", seen)
        return self

    def __exit__(self, *why: object) -> None:
        self.monkeypatch.setattr(schedule.Budget, "admitted", self.admitted)

    def hold(self) -> None:
        """Each stage of each pair is a task of its own, a shared step is made once, and none exceeds the budget."""
        tasks = {task.name: task for task, _, _ in self.beside}
        pairs = ("first/linux-cpu", "first/linux-arm64", "second/linux-cpu")
        stages = [f"{pair}: {stage}" for pair in pairs for stage in ("optimize", "compile", "gate", "seal")]
        assert sorted(tasks) == sorted([*stages, *(f"{name}: import" for name in ("first", "second", "broken"))])
        assert len(self.beside) == len(tasks)
        assert tasks["first/linux-arm64: optimize"].needs == {"first/linux-cpu: optimize"}
        assert tasks["second/linux-cpu: optimize"].needs == frozenset()
        assert tasks["first/linux-cpu: optimize"].bytes > tasks["first/linux-cpu: gate"].bytes > 0
        for task, running, budget in self.beside:
            assert task.bytes + sum(each.bytes for each in running) <= budget.memory < 3 * 2**30
            assert task.cores + sum(each.cores for each in running) <= budget.cores == 2
        assert any(running for _, running, _ in self.beside), "some are worked on at once"


def test_a_project(home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*words: str, code: int = 0) -> Any:
        capfd.readouterr()
        assert commands.main([*words, "--json", "-q"]) == code
        return json.loads(capfd.readouterr().out)["data"]

    def states() -> dict[str, tuple[str, str]]:
        told = run("status", code=4)
        return {name: (entry["state"], "; ".join(entry["why"])) for name, entry in told.items()}

    # One that cannot be built keeps no other from being built, and its code is the command's.
    with Watched(monkeypatch) as watched, Peak() as peak:
        built = run("build", "--memory", "3GB", "--cores", "2", code=4)
    watched.hold()
    assert 0 < peak.bytes <= 3 * 2**30, "what it really takes"
    assert set(built["bundles"]) == {"first/linux-cpu", "first/linux-arm64", "second/linux-cpu"}
    assert set(built["failed"]) == {"broken/linux-cpu", "broken/linux-arm64"} and built["lock_written"]
    assert built["bundles"]["second/linux-cpu"]["recipe"] == "int8_qdq"
    lock = json.loads((home / "edgekit.lock").read_text(encoding="utf-8"))
    assert {name: entry["bundle"] for name, entry in lock["bundles"].items()} == {
        name: entry["sha256"] for name, entry in built["bundles"].items()
    }
    assert str(home) not in json.dumps(lock)

    # Again: no work, no other lock.
    again = run("build", code=4)
    assert all(entry["unchanged"] for entry in again["bundles"].values()) and not again["lock_written"]

    # A change concerns the pairs that it concerns, by name.
    np.save(home / "data" / "3.npy", np.ones((4, 64), np.float32))
    told = states()
    assert {name: told[name] for name in built["bundles"]} == {
        "first/linux-cpu": ("fresh", ""),
        "first/linux-arm64": ("fresh", ""),
        "second/linux-cpu": ("stale", "the calibration data changed"),
    }
    assert told["broken/linux-cpu"][0] == told["broken/linux-arm64"][0] == "refused"
    refused = run("build", "--locked", "--only", "model=second", code=12)
    assert "the calibration data" in refused["failed"]["second/linux-cpu"]["message"]
    assert json.loads((home / "edgekit.lock").read_text(encoding="utf-8")) == lock, "--locked writes no lock"
    changed = run("build", "--only", "model=second")
    assert [told.partition(" (")[0] for told in changed["bundles"]["second/linux-cpu"]["changed"]] == [
        "the calibration data",
        "the bundle",
    ]

    # What the lock says can be built anew from nothing, to the same bytes.
    sealed = {
        name: entry["bundle"] for name, entry in json.loads((home / "edgekit.lock").read_text())["bundles"].items()
    }
    for path in (home / "out").rglob("*"):
        path.chmod(0o755)
    shutil.rmtree(home / "out")
    shutil.rmtree(home.parent / "cache")
    rebuilt = run("build", "--locked", "--only", "model=first,target=linux-cpu")["bundles"]["first/linux-cpu"]
    assert rebuilt["sha256"] == sealed["first/linux-cpu"] and not rebuilt["unchanged"]


def test_a_lock_that_is_not_there(home: Path) -> None:
    assert commands.main(["build", "--locked", "-q"]) == 12


def test_a_lock_before_the_bundles(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["lock", "-q"]) == 4  # of the model that does not exist
    lock = json.loads((home / "edgekit.lock").read_text(encoding="utf-8"))
    assert set(lock["bundles"]) == {"first/linux-cpu", "first/linux-arm64", "second/linux-cpu"}
    assert not any("bundle" in entry for entry in lock["bundles"].values())
    assert commands.main(["lock", "-q", "--json"]) == 4
    model = onnx.load(home / "first.onnx")
    model.graph.name = "other"
    onnx.save(model, home / "first.onnx")
    capfd.readouterr()
    assert commands.main(["lock", "-q", "--json"]) == 4
    changed = json.loads(capfd.readouterr().out)["data"]["changed"]
    assert set(changed) == {"first/linux-cpu", "first/linux-arm64"}
    assert all(told[0].startswith("the model's bytes") for told in changed.values())


@pytest.mark.parametrize(
    "words",
    [
        ["build", "--only", "model=nobody"],
        ["build", "--target", "linux-cpu"],
        ["build", "--recipe", "int8_qdq"],
        ["build", "first.onnx"],
        ["build", "first.onnx", "--target", "linux-cpu", "--locked"],
        ["init", "--yes"],
    ],
)
def test_what_does_not_belong_together(home: Path, words: list[str]) -> None:
    assert commands.main([*words, "-q"]) == 2


def test_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert commands.main(["build"]) == 2
    assert "edgekit init" in capfd.readouterr().err
    assert commands.main(["init", "--yes"]) == 2
