"""What an effort affords: the best candidate whose time and memory, in proportion, are within it."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from edgekit import files, plan, recipes, target
from edgekit.errors import UsageError
from edgekit.predict import effort
from edgekit.predict.effort import Candidate, Effort, Machine, Measured
from tests.golden.plans import llama

pytestmark = pytest.mark.unit

GIB = 1 << 30
ROUND = Candidate("int4_mixed", False, (), seconds=10, memory=GIB, kl=0.1, mb=160)
FEW = Candidate("int4_gptq_mixed", True, (("samples", 12),), seconds=40, memory=2 * GIB, kl=0.06, mb=125)
ALL = Candidate("int4_gptq_mixed", True, (("samples", 64),), seconds=100, memory=3 * GIB, kl=0.05, mb=125)
FIGURES = Measured("m", 100_000_000, "two cores", 2, True, "2026-12-01", (ROUND, FEW, ALL))


@pytest.fixture(autouse=True)
def figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effort, "measured", lambda: FIGURES)


def chosen(word: Effort, parameters: int, cores: int = 2, memory: int | None = None, **more: bool) -> Candidate:
    facts = {"calibrates": True, "sized": False, **more}
    return effort.choose(word, parameters, Machine(cores, memory), **facts).candidate


@pytest.mark.parametrize(
    ("word", "parameters", "cores", "best"),
    [
        ("quick", 10, 64, ROUND),
        ("normal", 100_000_000, 2, ALL),  # 100 of 240 s
        ("normal", 240_000_000, 2, ALL),  # 240 of 240 s
        ("normal", 250_000_000, 2, FEW),  # 250 and 100 of 240 s
        ("normal", 250_000_000, 4, ALL),  # 125 s
        ("normal", 3_000_000_000, 2, ROUND),  # 1,200 of 720 s
        ("normal", 3_000_000_000, 4, FEW),  # 600 of 720 s
        ("normal", 3_000_000_000, 64, ALL),  # more than 8 cores are no faster: 750 s
        ("best", 3_000_000_000, 2, ALL),
    ],
)
def test_the_best_that_fits_is_taken(word: Effort, parameters: int, cores: int, best: Candidate) -> None:
    if cores == 64 and word == "normal":
        best = FEW
    assert chosen(word, parameters, cores) == best


def test_what_the_machine_has_no_memory_for_is_not_taken() -> None:
    assert chosen("best", 100_000_000, memory=64 * GIB) == ALL
    assert chosen("best", 100_000_000, memory=2 * GIB) == FEW
    assert chosen("best", 100_000_000, memory=GIB // 2) == ROUND
    further = effort.choose("best", 10**8, Machine(2, 2 * GIB), calibrates=True, sized=False).further
    assert further.startswith("a machine with more memory (int4_gptq_mixed samples=64) buys KL 0.050 at 125 MB")


def test_a_size_needs_calibration_whatever_the_effort() -> None:
    assert chosen("quick", 100_000_000, sized=True) == FEW
    assert chosen("normal", 100_000_000, sized=True) == ALL


def test_what_cannot_be_calibrated_is_rounded() -> None:
    assert chosen("best", 100_000_000, calibrates=False) == ROUND


def test_a_choice_says_why_and_what_the_next_effort_buys() -> None:
    choice = effort.choose("quick", 240_000_000, Machine(2), calibrates=True, sized=False)
    assert choice.why == "what effort quick takes, without calibration"
    assert choice.further == (
        "--effort normal (int4_gptq_mixed samples=12) buys KL 0.060 at 125 MB for 0.100 at 160 MB on the board's "
        "model, in 1.6 min and 5.2 GB (estimated)"
    )
    best = effort.choose("best", 240_000_000, Machine(2), calibrates=True, sized=False)
    assert best.further == "no greater effort buys more"


def test_the_environment_may_say_the_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_EFFORT", "")
    assert effort.of_environment() is None
    monkeypatch.setenv("EDGEKIT_EFFORT", "best")
    assert effort.of_environment() == "best"
    monkeypatch.setenv("EDGEKIT_EFFORT", "much")
    with pytest.raises(UsageError, match="'much', which is no effort"):
        effort.of_environment()


def planned(**settings: Any) -> plan.Plan:
    base = target.load("linux-cpu")
    llm = base.llm.model_copy(update={"recipe": effort.BY_EFFORT, **settings})
    return plan.make(llama(134_515_008), base.model_copy(update={"llm": llm}))


def test_a_plan_takes_the_recipe_and_its_settings_and_says_why() -> None:
    made = planned(effort="normal")
    assert made.main.recipe == "int4_gptq_mixed" and made.main.reason.endswith("the best that effort normal affords")
    text = made.optimize_step(made.main).config["passes"]["p1_edgekitgptq"]["config"]["data_config"]
    assert text["load_dataset_config"]["params"]["samples"] == 64
    assert planned().main.recipe == planned(effort="quick").main.recipe == "int4_mixed"
    assert planned(effort="quick", size="100MB").main.recipe == "int4_gptq_mixed"


def test_a_recipe_that_is_asked_for_is_taken_whatever_the_effort() -> None:
    base = target.load("linux-cpu")
    assert plan.make(llama(134_515_008), base, recipe="int4_rtn").main.recipe == "int4_rtn"


def test_the_measured_candidates_are_recipes_in_the_order_of_their_time_and_loss() -> None:
    data = tomllib.loads(files.resource("predict/effort.toml").read_text(encoding="utf-8"))
    rows = data["candidate"]
    assert [recipes.load(row["recipe"]).calibrated for row in rows] == [row["calibrated"] for row in rows]
    assert not rows[0]["calibrated"] and all(row["calibrated"] for row in rows[1:])
    assert [row["seconds"] for row in rows] == sorted(row["seconds"] for row in rows)
    assert [row["kl"] for row in rows] == sorted((row["kl"] for row in rows), reverse=True)
