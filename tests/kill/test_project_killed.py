"""A project of two models and two targets, killed at any of its events and built again: the same four bundles.

Two pairs are built at once, so an event has not the same name in every run: a kill may meet another event than the one
it was drawn for, or none. What is asked of it is the same.

    EDGEKIT_KILLS and EDGEKIT_SEED choose how many, and which; 0 is one in each stage
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from random import Random

import numpy as np
import pytest
from onnx import helper

from tests.kill import harness
from tests.kill.harness import Place, Watched
from tests.kill.test_kill import CACHED, strike
from tests.unit.inputs.nets import save, value

pytestmark = pytest.mark.nightly

NAMES = [f"{model}-{target}" for model in ("float", "int8") for target in ("linux-cpu", "linux-arm64")]
STAGES = ("optimize", "stage", "placement", "gate", "goldens", "seal")
KILLS = int(os.environ.get("EDGEKIT_KILLS") or 24)
CHAIN = 4  # kills, at most, until a build may end
PROJECT = """
targets = ["linux-cpu", "linux-arm64"]
[models.float]
source = {source}
recipe = "float32"
[models.int8]
source = {source}
recipe = "int8_dynamic"
"""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """An environment whose processes are watched, and the net that it builds."""
    folder = tmp_path_factory.mktemp("watched")
    weights = np.random.default_rng(3).normal(0, 0.2, (64, 32)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"], name="l"), helper.make_node("Softplus", ["m"], ["y"])]
    save(folder / "net.onnx", nodes, [value("x", [4, 64])], [value("y", [4, 32])], {"w": weights})
    return Watched(folder / "environment", ["--jobs", "2", "--memory", "12GB"])


def place(folder: Path, watched: Watched) -> Place:
    """The folders of one series of builds, with the project above them."""
    made = Place(folder)
    source = json.dumps(str(watched.python.parents[2] / "net.onnx"))
    (folder / "edgekit.toml").write_text(PROJECT.format(source=source), encoding="utf-8")
    return made


def hashes(watched: Watched, at: Place) -> dict[str, str]:
    """By bundle, its sha256; all bytes were read, and the lock says the same."""
    sealed = {name: watched.verified(at, name) for name in NAMES}
    lock = json.loads((at.folder / "edgekit.lock").read_text(encoding="utf-8"))["bundles"]
    assert {name.replace("/", "-"): entry["bundle"] for name, entry in lock.items()} == sealed
    return sealed


def test_a_killed_project_gives_the_same_bundles(watched: Watched, tmp_path: Path) -> None:
    undisturbed = place(tmp_path / "undisturbed", watched)
    code, said, events = watched.build(undisturbed)
    assert code == 0, said
    wanted = hashes(watched, undisturbed)
    every = harness.points(events)
    assert set(STAGES) <= {stage for stage, _, _ in every}

    seed = int(os.environ.get("EDGEKIT_SEED") or Random().randrange(10**6))
    kills = harness.drawn(every, KILLS, 1, STAGES, Random(seed))
    print(f"\n{len(every)} events; EDGEKIT_SEED={seed}: {len(kills)} kills, {harness.counted(kills)}")
    met, wrong = 0, []
    for number, chain in enumerate(harness.chains(kills, CHAIN)):
        at, told = place(tmp_path / f"chain-{number}", watched), []
        for kill in chain:
            struck, _, errors = strike(watched, at, kill)
            met += struck
            told += errors
        told += ended(watched, at, undisturbed, wanted)
        print(f"chain {number}: {', '.join(map(str, chain))}: {'; '.join(told) or 'the same bundles'}", flush=True)
        wrong += told
    print(f"{met} of {len(kills)} met their point")
    assert wrong == [] and met >= len(kills) // 2


def ended(watched: Watched, at: Place, undisturbed: Place, wanted: dict[str, str]) -> list[str]:
    """Build once more, to the end: what differs from a build that nobody disturbed?"""
    code, said, events = watched.build(at)
    if code != 0:
        return [f"the last build: exit {code}: {said}"]
    wrong = [f"alive: {process}" for process in harness.alive(events)]
    wrong += [f"left: {path}" for path in harness.leftovers(at, NAMES, CACHED)]
    if (sealed := hashes(watched, at)) != wanted:
        wrong.append(f"other bundles: {[name for name in NAMES if sealed[name] != wanted[name]]}")
    theirs, ours = harness.entries(undisturbed.cache), harness.entries(at.cache)
    return wrong + [f"in the cache another {path}" for path in theirs | ours if theirs.get(path) != ours.get(path)]
