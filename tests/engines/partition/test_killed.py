"""A child that somebody kills says nothing of a model: nothing is built as if it had."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgekit import partition, quality, tools
from edgekit.errors import BuildError
from edgekit.partition import _graph, inspect
from edgekit.results import metrics as m
from edgekit.target import load
from tests import needs
from tests.unit.sources.tiny_models import save_onnx

pytestmark = [pytest.mark.runtimes, needs.posix]


@pytest.fixture
def struck(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Every child is killed as soon as it has started."""
    start, pids = tools.launch, []

    def started(*args: object, **kwargs: object) -> object:
        process = start(*args, **kwargs)  # type: ignore[arg-type]
        pids.append(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        return process

    monkeypatch.setattr(tools, "launch", started)
    yield pids


def test_a_killed_session_is_no_placement_that_is_not_known(tmp_path: Path, struck: list[int]) -> None:
    model = save_onnx(tmp_path / "model.onnx")
    with pytest.raises(BuildError, match="was killed") as caught:
        partition.look(model, "cpu")
    assert caught.value.killed and struck
    variant = SimpleNamespace(name="portable", path="model.onnx", ep="cpu", ep_options={}, compiled={})
    made = SimpleNamespace(contract=SimpleNamespace(kind="tensor"), variants=(variant,))
    with pytest.raises(BuildError, match="was killed"):
        inspect.placement(tmp_path, made, load("linux-cpu"))  # type: ignore[arg-type]
    with pytest.raises(BuildError, match="was killed"):  # and no graph is taken for what a provider is shown
        _graph.shown(model)


def test_a_killed_gate_is_no_gate_that_measures_nothing() -> None:
    def measure(by: str) -> list[object]:
        def fails(ctx: object) -> None:
            raise BuildError("the built model was killed", killed=by)  # type: ignore[arg-type]

        return list(quality._measure(SimpleNamespace(measure=fails, METRICS=(m.COSINE_MEAN,)), None))  # type: ignore[arg-type]

    with pytest.raises(BuildError, match="was killed"):
        measure("somebody")
    assert [one.value for one in measure("memory")] == [None]  # type: ignore[attr-defined]
    assert [one.value for one in measure("")] == [None]  # type: ignore[attr-defined]
