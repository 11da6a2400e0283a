"""A recipe, a target, a source, a meter and a gate are each one new file in a copy of edgekit, and nothing else.

What is added is what CONTRIBUTING.md tells to add. A metric is one entry: tests/engines/results/test_one_file.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from edgekit import meters, plan, quality, recipes, registry, target
from edgekit.errors import SourceError, UsageError
from edgekit.kinds.tensor import TensorContract
from edgekit.meters import Meter
from edgekit.quality import GateContext
from edgekit.sources import open_source
from tests.added import Added, block
from tests.unit.inputs.nets import save, value
from tests.unit.meters.recorded import Recorded, seconds
from tests.unit.test_members import FAMILIES

pytestmark = pytest.mark.unit


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Added:
    return Added(tmp_path / "copy", monkeypatch)


def net(path: Path, weight: float = 1.0) -> Path:
    """y = x @ w."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="layer")]
    weights = {"w": np.full((64, 32), weight, np.float32)}
    return save(path, nodes, [value("x", [4, 64])], [value("y", [4, 32])], weights)


def test_nothing_is_added_to_edgekit_itself(added: Added) -> None:
    family = "edgekit.recipes"
    added.member(family, "toy", block("Add a recipe"))
    assert "toy" in registry.members(family)
    assert not (Path(recipes.__file__).parent / "toy.py").exists()


def test_a_recipe_is_one_file(added: Added, tmp_path: Path) -> None:
    model = open_source(str(net(tmp_path / "net.onnx"))).model
    with pytest.raises(UsageError, match="unknown recipe 'toy'"):
        plan.make(model, target.load("linux-cpu"), recipe="toy")
    assert FAMILIES["edgekit.recipes"](added.member("edgekit.recipes", "toy", block("Add a recipe")))
    assert "toy" in recipes.names("tensor") and "toy" not in recipes.names("llm")
    made = plan.make(model, target.load("linux-cpu"), recipe="toy")
    assert (made.main.recipe, made.main.precision) == ("toy", "int8")
    (only,) = made.steps[0].config["passes"].values()
    assert only["config"]["op_types_to_quantize"] == ["MatMul"]


def test_a_target_is_one_file(added: Added, tmp_path: Path) -> None:
    model = open_source(str(net(tmp_path / "net.onnx"))).model
    assert "my-board" not in target.names()
    added.file("targets/my-board.toml", block("Add a target", "toml"))
    assert "my-board" in target.names()
    board = target.load("my-board")
    assert board.abi == ("aarch64",) and board.tensor.budget["latency_p90_ms"].max == 50  # another's, and its own
    assert plan.make(model, board).target == "my-board"


def test_a_source_is_one_file(added: Added, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = net(tmp_path / "net.onnx")
    monkeypatch.setenv("MY_NET", str(path))
    with pytest.raises(SourceError, match="unknown model 'env:MY_NET'"):
        open_source("env:MY_NET")
    assert FAMILIES["edgekit.sources"](added.member("edgekit.sources", "toy", block("Add a source")))
    source = open_source("env:MY_NET")
    assert source.path == path and source.snapshot.stamps
    assert source.model == open_source(str(path)).model
    assert plan.make(source.model, target.load("linux-cpu")).steps
    with pytest.raises(SourceError, match="env:NO_NET names no"):
        open_source("env:NO_NET")


def test_a_meter_is_one_file(added: Added, tmp_path: Path) -> None:
    machine = Recorded(tmp_path / "root")
    assert FAMILIES["edgekit.meters"](added.member("edgekit.meters", "toy", block("Add a meter")))
    working, missing = meters.find(machine)
    assert not working and missing["toy"].reason == "there is no INA260 power monitor"

    power = "/sys/class/hwmon/hwmon3/power1_input"
    machine.plant({"/sys/class/hwmon/hwmon3/name": "ina260", power: "2500000"})
    machine.times = seconds(60)
    machine.course = {power: lambda at: str(round(2.5e6 + 1e6 * at / 60))}
    working, missing = meters.find(machine)
    assert "toy" not in missing
    meter: Meter = working[0]
    meter.start()
    energy = meter.stop()
    assert energy.state == "measured" and energy.grade == "B"
    assert energy.joules == pytest.approx(60 * 3.0)


@pytest.mark.parametrize(("weight", "verdict"), [(1.0, "pass"), (np.inf, "fail")])
def test_a_gate_of_known_metrics_is_one_file(added: Added, tmp_path: Path, weight: float, verdict: str) -> None:
    source = open_source(str(net(tmp_path / "net.onnx")))
    net(tmp_path / "built.onnx", weight)
    assert FAMILIES["edgekit.quality"](added.member("edgekit.quality", "toy", block("Add a gate")))
    assert list(quality.gates("tensor"))[-1] == "toy"
    facts = {"contract": TensorContract(inputs=(), outputs=()), "target": target.load("linux-cpu"), "precision": "int8"}
    ctx = GateContext(
        source=source, staged=tmp_path, model_path="built.onnx", work=tmp_path / "work", mode="fast", **facts
    )
    made = quality.gate(ctx)
    judged = {judged.metric: judged for judged in made.verdicts}["nonfinite_outputs"]
    assert judged.verdict == verdict and judged.limit.max == 0  # of its row in limits.toml
    if verdict == "fail":
        error = quality.explain(made)
        assert error is not None and "nonfinite_outputs is 2048" in error.message and error.next
