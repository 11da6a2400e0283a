"""`--recipe auto` on two small random models: one that int4 hardly changes, one that needs more bits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit import recipes, search
from edgekit.build import Options
from edgekit.bundle.read import read
from edgekit.commands import _ladder
from edgekit.errors import OverBudget, QualityError, UsageError
from edgekit.recipes import Candidate
from tests.olive import tiny_llm

pytestmark = pytest.mark.olive
# Random nets are not judged by what they say, and one metric is enough to climb by.
LOOSE = (
    "kl_p99:max=100",
    "top1_agreement:min=0",
    "perplexity_ratio:max=100",
    "eos_rate:min=0",
    "repetition_rate:max=1",
    "kl_mean@half_context:max=100",
)


@pytest.fixture(autouse=True)
def two_rungs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first rung and the last but one: each costs a run of Olive."""
    monkeypatch.setattr(recipes, "candidates", lambda kind: (Candidate("int4_rtn"), Candidate("int8_rtn")))


@pytest.fixture(scope="module")
def even(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small weights: its next token is nearly any, whatever they are rounded to."""
    return tiny_llm.llama(tmp_path_factory.mktemp("even") / "even", initializer_range=0.03)


@pytest.fixture(scope="module")
def sharp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llm.llama(tmp_path_factory.mktemp("sharp") / "sharp")


def options(out: Path, limit: float) -> Options:
    return Options(out=out, quality="fast", accept_source=True, limits=(f"kl_mean:max={limit}", *LOOSE))


@pytest.mark.nightly
def test_one_limit_gives_two_models_two_recipes_and_neither_fails(even: Path, sharp: Path, tmp_path: Path) -> None:
    ladders = [search.climb(str(one), "linux-cpu", options(tmp_path, 0.02)) for one in (even, sharp)]
    assert [[rung.outcome for rung in ladder.rungs] for ladder in ladders] == [["pass"], ["fail", "pass"]]
    for ladder, recipe in zip(ladders, ("int4_rtn", "int8_rtn"), strict=True):
        assert ladder.built is not None and _ladder.error(ladder) is None
        sealed = read(ladder.built.path)
        assert (sealed.recipe.name, sealed.judged.verdict) == (recipe, "pass")
    assert "kl_mean is" in ladders[1].rungs[0].reason
    sizes = [rung.model_mb for rung in ladders[1].rungs]
    losses = [rung.values["kl_mean"] for rung in ladders[1].rungs]
    assert sizes == sorted(sizes) and losses == sorted(losses, reverse=True)

    again = search.climb(str(sharp), "linux-cpu", options(tmp_path, 0.02))
    assert again.built is not None and again.built.unchanged
    assert _ladder.plain(again) == _ladder.plain(ladders[1])

    plot = _ladder.plot(again, tmp_path)
    assert plot is not None and all(f"{recipe}<" in plot.read_text() for recipe in ("int4_rtn", "int8_rtn"))


@pytest.mark.nightly
def test_it_says_when_none_passes_and_seals_nothing(sharp: Path, tmp_path: Path) -> None:
    ladder = search.climb(str(sharp), "linux-cpu", options(tmp_path, 1e-9))
    assert ladder.built is None
    assert [rung.outcome for rung in ladder.rungs] == ["fail", "fail"]
    error = _ladder.error(ladder)
    assert isinstance(error, QualityError) and "int8_rtn (fail)" in error.message
    assert not (tmp_path / "sharp-linux-cpu").exists()
    assert _ladder.plain(ladder)["chosen"] is None
    assert [row[3].partition(":")[0] for row in _ladder.rows(ladder)] == ["fail", "fail"]


def test_a_recipe_over_the_budget_ends_the_climb(sharp: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.toml"
    small.write_text('extends = "linux-cpu"\nname = "small"\n[llm.budget]\nbundle_mb = { max = 0.05 }\n')
    ladder = search.climb(str(sharp), str(small), options(tmp_path, 1.0))
    assert [rung.outcome for rung in ladder.rungs] == ["over-budget"]
    assert isinstance(_ladder.error(ladder), OverBudget)
    assert json.loads(json.dumps(_ladder.plain(ladder))) == _ladder.plain(ladder)


def test_it_needs_the_gate(sharp: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs the gate"):
        search.climb(str(sharp), "linux-cpu", Options(out=tmp_path, quality="off"))
