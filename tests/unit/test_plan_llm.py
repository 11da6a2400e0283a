"""Plans for language models: the choices a plan explains."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit import plan, target
from edgekit.errors import SourceError, UsageError
from edgekit.model import Model
from tests.golden.plans import llama

pytestmark = pytest.mark.unit


def model(*, parameters: int = 134_515_008, window: int = 8192) -> Model:
    return llama(parameters, window=window)


def test_what_is_not_calibrated_keeps_more_bits_in_a_small_model_than_in_a_large_one() -> None:
    small = plan.make(model(), target.load("linux-cpu"), recipe="int4_mixed")
    large = plan.make(model(parameters=3_800_000_000), target.load("linux-cpu"), recipe="int4_mixed")
    kinds = [[one["type"] for one in made.steps[0].config["passes"].values()] for made in (small, large)]
    assert kinds[0][0] == "Rtn"
    assert kinds[1][0] == "SelectiveMixedPrecision"


def test_a_language_model_without_its_facts_is_the_sources_fault() -> None:
    with pytest.raises(SourceError, match="called a language model and described as none"):
        plan.make(model().model_copy(update={"llm": None}), target.load("linux-cpu"))


def test_a_target_may_have_another_recipe_for_small_models() -> None:
    """For the HTP: one int4 scale a channel is too coarse for them."""
    for parameters, recipe in ((134_515_008, "qnn_static_llm_w8"), (500_000_000, "qnn_static_llm")):
        made = plan.make(model(parameters=parameters), target.load("android-qnn"))
        assert {one.recipe for one in made.variants} == {recipe}
    made = plan.make(model(), target.load("android-qnn"))
    assert "default of android-qnn for llm models of under 500 million parameters" in made.variants[0].reason
    asked = plan.make(model(), target.load("android-qnn"), recipe="qnn_static_llm")
    assert {one.recipe for one in asked.variants} == {"qnn_static_llm"}


def test_the_window_is_capped_and_the_plan_says_so() -> None:
    made = plan.make(model(window=131072), target.load("linux-cpu"))
    assert made.max_length == 4096
    assert any("131072" in note for note in made.notes)
    assert plan.make(model(window=2048), target.load("linux-cpu")).max_length == 2048


def test_untied_embeddings_are_not_tied() -> None:
    untied = model().model_copy(update={"llm": model().llm.model_copy(update={"tied_embeddings": False})})
    made = plan.make(untied, target.load("linux-cpu"), recipe="int4_rtn")
    assert "TieWordEmbeddings" not in json.dumps(made.steps[0].config)


def test_remote_code_is_never_run_by_default() -> None:
    config = plan.make(model(), target.load("linux-cpu")).steps[0].config
    assert config["input_model"]["load_kwargs"]["trust_remote_code"] is False
    builder = next(one for one in config["passes"].values() if one["type"] == "ModelBuilder")
    assert builder["config"]["extra_options"]["hf_remote"] is False


def test_an_unknown_recipe_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'int4_mixed'"):
        plan.make(model(), target.load("linux-cpu"), recipe="int4_mixd")


def test_a_recipe_of_the_other_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="is for tensor models"):
        plan.make(model(), target.load("linux-cpu"), recipe="keep")


def test_a_recipe_file_from_outside(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "KIND = 'llm'\nPRECISION = 'int4'\nSUMMARY = 'mine'\nCALIBRATED = False\n"
        "def passes(model, settings):\n    return [{'type': 'Rtn', 'bits': 4}]\n"
    )
    made = plan.make(model(), target.load("linux-cpu"), recipe=str(file))
    assert made.main.recipe == "mine"
    assert made.steps[0].config["passes"] == {"p0_rtn": {"type": "Rtn", "config": {"bits": 4}}}


def test_a_broken_recipe_file_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text("1/0\n")
    with pytest.raises(UsageError, match="division by zero"):
        plan.make(model(), target.load("linux-cpu"), recipe=str(file))
    file.write_text("KIND = 'llm'\n")
    with pytest.raises(UsageError, match="lacks PRECISION"):
        plan.make(model(), target.load("linux-cpu"), recipe=str(file))


def test_the_gate_judges_a_variant_that_is_not_compiled() -> None:
    """The first that this machine's CPU runs: the goldens come from it too."""
    made = plan.make(model(), target.load("android-qnn"))
    assert [one.name for one in made.variants] == ["sm8650", "sm8750", "portable"]
    assert made.main.name == "portable"
    compiled = made.model_copy(update={"variants": made.variants[:2]})
    assert compiled.main.name == "sm8650"
