"""A plan alone: in the light core, of a card or of headers, with what building takes and what the device will need."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit import build, commands, extras, sources, target
from edgekit.build import Options
from edgekit.errors import EdgekitError, NotMeasured, ToolMissing, UsageError
from edgekit.fit import timed
from edgekit.inputs.calibration import Calibration
from edgekit.inputs.labels import Truth
from edgekit.project.pairs import tuned
from edgekit.quality import _inputs
from tests.unit.sources.tiny_models import save_llama

pytestmark = pytest.mark.unit

MODEL = "smollm2-135m-instruct"


@pytest.fixture(autouse=True)
def light_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, and no extra is installed."""
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(extras, "missing", lambda extra: ["torch"])


def test_a_model_of_the_catalogue_is_planned_from_its_card(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert commands.main(["build", MODEL, "--target", "linux-cpu", "--dry-run", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    (plan,), (taken,), (building,) = data["plans"], data["estimated"], data["building"]
    assert plan["model"] == MODEL and "neither its files nor its weights were fetched" in plan["steps"][0]["reason"]
    assert building["bundle_bytes"] > taken["mapped_bytes"] > 1e8 and building["memory_bytes"] > 1e8
    assert building["time"]
    assert [each["recipe"].split()[0] for each in building["candidates"]][:2] == ["int4_mixed", "int4_gptq_mixed"]
    assert not any(tmp_path.rglob("*.safetensors"))
    assert commands.main(["build", MODEL, "--target", "linux-cpu", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "on the device (estimated): " in shown and "building (estimated): a bundle of " in shown


def test_a_folder_is_planned_from_config_and_headers(tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "llama")
    profile = target.load("linux-cpu")
    for effort, recipe in ((None, "int4_mixed"), ("normal", "int4_gptq_mixed")):  # so small a model takes no time
        asked = tuned(profile, effort=effort)
        (job,) = build.prepare(str(folder), [asked], Options(tmp_path, accept_source=True), read=False)
        assert job.plan.main.recipe == recipe


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--size", "130"), "'130' is no size of a bundle"),
        (("--size", "1KB"), "cannot be reached: from "),
        (("--size", "9GB", "--effort", "quick"), "cannot be reached: from "),
        (("--size", "1MB", "--recipe", "int4_rtn"), "recipe int4_rtn has a size of its own"),
    ],
)
def test_a_size_that_nothing_can_keep_is_refused_by_the_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    folder = str(save_llama(tmp_path / "llama"))
    assert commands.main(["build", folder, "--target", "linux-cpu", "--accept-source", "--dry-run", *words]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_build_still_says_what_it_lacks() -> None:
    with pytest.raises(ToolMissing, match="'build'"):
        build.prepare(MODEL, ["linux-cpu"], Options(Path("out")))


def test_a_wrong_recipe_is_named_before_the_model_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "open_source", lambda *words, **options: pytest.fail("it was opened"))
    with pytest.raises(UsageError, match="did you mean 'int4_rtn'"):
        build.prepare(MODEL, ["linux-cpu"], Options(Path("out"), recipe="int4_rnt"), read=False)


def test_another_builds_time_is_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    it = timed.Timed(model="tiny", parameters=10**8, seconds=90, machine="2 cores", date="2026-11-30")
    monkeypatch.setattr(timed, "read", lambda: it)
    assert timed.words(10**9) == "15 min, in proportion to one build of tiny on 2 cores"
    assert timed.words(10**4).startswith("1 s, ")
    monkeypatch.setattr(timed, "read", lambda: None)
    assert timed.words(10**9).startswith("unknown, no build was timed")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"calibration": "nowhere"}, "no calibration folder"),
        ({"calibration": "empty"}, "nothing in .*empty can be calibrated with"),
        ({"calibration": "photos"}, "photos holds 2 .heic files, which edgekit does not read"),
        ({"labels": "table.csv"}, "--labels says what calibration data shows"),
        ({"text": "nowhere.txt"}, "--text: there is no .*nowhere.txt"),
    ],
)
def test_what_is_wrong_beside_the_model_is_named_before_it_is_opened(
    options: dict[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "open_source", lambda *words, **options: pytest.fail("it was opened"))
    (tmp_path / "empty").mkdir()
    (tmp_path / "photos").mkdir()
    for name in ("a.heic", "b.HEIC"):
        (tmp_path / "photos" / name).write_bytes(b"x")
    paths = {key: tmp_path / value for key, value in options.items()}
    with pytest.raises(EdgekitError, match=said) as caught:
        build.prepare(MODEL, ["linux-cpu"], Options(tmp_path, **paths), read=False)  # type: ignore[arg-type]
    assert caught.value.next


def test_labels_that_were_asked_for_and_fit_no_class_are_refused_before_anything_slow() -> None:
    data = Calibration("array", 2, "", [{"x": np.ones(3)}], [{"x": np.zeros(3)}, {"x": np.ones(3)}])
    strange = Truth(why="the model has 2 classes and does not say which are 'cow'", asked=True)
    with pytest.raises(NotMeasured, match="the labels cannot be used: the model has 2 classes") as caught:
        _inputs.suit(data, strange)
    assert "[labels] values" in caught.value.next
    _inputs.suit(data, replace(strange, asked=False))


def test_inputs_that_are_all_alike_are_refused_before_anything_slow() -> None:
    same = [{"x": np.ones(3, np.float32)}] * 4
    other = [*same, {"x": np.zeros(3, np.float32)}]
    with pytest.raises(NotMeasured, match="all 4 inputs to compare on are the same") as caught:
        _inputs.suit(Calibration("array", 8, "", same, same))
    assert "different ones" in caught.value.next
    _inputs.suit(Calibration("array", 8, "", same, other))
    _inputs.suit(Calibration("array", 1, "", same, []))  # none is kept for the gate, which draws its own
