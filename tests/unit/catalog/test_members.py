"""The catalogue of language models: every member has a card, a figure a source, and what it says is built, is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from edgekit import commands, target
from edgekit.catalog import cards, member
from edgekit.catalog.cards import Card
from edgekit.catalog.member import Member
from edgekit.errors import SourceError
from edgekit.fit import matrix
from edgekit.sources import open_source
from edgekit.sources.facts import architectures
from tests.golden import phi
from tests.unit.sources.tiny_models import save_llama

pytestmark = pytest.mark.unit

# The name in tests/golden/plans/_phi.json -> the card's.
GOLDEN = {
    "Phi-1": "phi-1",
    "Phi-1.5": "phi-1.5",
    "Phi-2": "phi-2",
    "Phi-3-mini-4k": "phi-3-mini-4k",
    "Phi-3-mini-128k": "phi-3-mini-128k",
    "Phi-3-medium-4k": "phi-3-medium-4k",
    "Phi-3-medium-128k": "phi-3-medium-128k",
    "Phi-3.5-mini": "phi-3.5-mini",
    "Phi-4": "phi-4",
    "Phi-4-reasoning": "phi-4-reasoning",
    "Phi-4-reasoning-plus": "phi-4-reasoning-plus",
    "Phi-4-mini": "phi-4-mini-instruct",
    "Phi-4-mini-reasoning": "phi-4-mini-reasoning",
    "Phi-3-vision, text part": "phi-3-vision",
    "Phi-4-multimodal, text part": "phi-4-multimodal",
}
REFUSED = ("phi-3-small-8k", "phi-3-small-128k", "phi-3.5-moe", "phi-4-mini-flash-reasoning", "phi-silica")
FAMILY = {*GOLDEN.values(), *REFUSED, "phi-3.5-vision"}
MEMBERS = [name for name in cards.names() if cards.load(name).member]
PLANS = json.loads((Path(phi.__file__).parent / "plans" / "_phi.json").read_text(encoding="utf-8"))


def of(name: str) -> tuple[Card, Member]:
    card = cards.load(name)
    assert card.member is not None
    return card, card.member


def test_every_member_of_the_family_has_a_card_and_its_neighbours_are_there() -> None:
    assert set(MEMBERS) >= FAMILY and set(GOLDEN) == set(phi.members())
    families = {of(name)[1].family for name in MEMBERS}
    assert families >= {"Phi-1", "Phi-3", "Phi-3.5", "Phi-4", "SmolLM2", "Qwen2.5", "Qwen3", "Llama 3.2", "Gemma 3"}


@pytest.mark.parametrize("name", MEMBERS)
def test_a_card_names_its_sources_and_a_class_of_the_table(name: str) -> None:
    card, it = of(name)
    row = architectures.TABLE[it.decoder.architecture]
    assert name in FAMILY or row.answer == "builds", "a neighbour without a graph is no choice"
    assert (row.answer == "text part") == bool(it.decoder.text_architecture and it.decoder.text_parameters)
    assert (row.answer == "text part") == (it.reads != ("text",))
    assert card.license and card.license_url.startswith("https://") and card.source_url.startswith("https://")
    assert card.ref.startswith("hf:") or name == "phi-silica"
    assert it.decoder.source.startswith("https://")
    assert all(score.source.startswith("https://") for score in it.scores)
    assert len({score.benchmark for score in it.scores}) == len(it.scores)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_source_is_what_was_read(name: str) -> None:
    """The hub's own config.json was open to nobody; litgpt's file has no end tokens: these have their own source."""
    card, it = of(name)
    said = it.decoder.source
    assert f"{card.source_url}/blob/main/config.json" not in said
    assert not it.decoder.eos_token_ids or "; end token" in said or said.endswith("a copy of the hub's config.json")


def test_figures_without_a_primary_source_are_not_printed() -> None:
    scores = [(name, score.benchmark, score.value) for name in MEMBERS for score in of(name)[1].scores]
    assert len(scores) > 25 and not [each for each in scores if each[2] == 82.5]
    assert [each for each in scores if each[1] == "AIME 2025"] == [("phi-4-reasoning-plus", "AIME 2025", 78.0)]
    silica = json.dumps(cards.load("phi-silica").model_dump(mode="json"))
    assert "650" not in silica and "1.5 W" not in silica  # it is prompt processing, not answers


@pytest.mark.parametrize("golden", GOLDEN)
def test_what_the_catalogue_says_is_built_is_what_the_golden_plans_build(golden: str) -> None:
    """By target, with recipe and precision, or the plan's own refusal; each made from facts of their own."""
    wanted: dict[str, tuple[str, str]] = {}
    for row in PLANS[golden]:
        for name in row["targets"].split(", "):
            main = next((each for each in row.get("variants", ()) if each["name"] == "portable"), None)
            main = main or (row["variants"][0] if "variants" in row else None)
            wanted[name] = (main["recipe"], main["precision"]) if main else ("", row["message"])
    card, it = of(GOLDEN[golden])
    answer = architectures.TABLE[it.decoder.architecture].answer
    told = {each.target: each for each in matrix.answers(card)}
    assert set(told) == set(wanted) == set(target.names())
    for name, (recipe, said) in wanted.items():
        each = told[name]
        assert (each.answer, each.recipe) == ((answer, recipe) if recipe else ("no", ""))
        assert said == (each.precision if recipe else each.reason)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_built_says_why_for_every_target_and_on_opening(name: str) -> None:
    card, it = of(name)
    row = architectures.TABLE[it.decoder.architecture]
    assert {(each.answer, each.reason, each.next) for each in matrix.answers(card)} == {("no", row.reason, row.next)}
    with pytest.raises(SourceError, match="cannot be built") as error:
        open_source(name)
    assert error.value.exit_code == 4 and row.reason in error.value.message


def test_a_cards_sizes_are_those_of_the_golden_configurations() -> None:
    """But for the layers of PhiForCausalLM, of which the golden plans have nine."""
    for golden, name in GOLDEN.items():
        wanted, made = phi.members()[golden], matrix.described(cards.load(name))
        assert made.parameters == wanted.parameters and made.architecture == wanted.architecture
        assert made.llm is not None and wanted.llm is not None
        for key in ("context_length", "vocab_size", "kv_heads", "head_size", "hidden_size", "inner_size"):
            assert getattr(made.llm, key) == getattr(wanted.llm, key), (name, key)
        assert made.llm.tied_embeddings == wanted.llm.tied_embeddings
        assert set(made.llm.eos_token_ids) <= set(wanted.llm.eos_token_ids)


CARD = """
name = "tiny"
title = "Tiny"
ref = "tiny"
kind = "llm"
[member]
family = "Tiny"
template = "chatml"
tasks = { chat = 3 }
strengths = "small"
[member.decoder]
"""


def described(tmp_path: Path, **changes: Any) -> Path:
    """A card beside a tiny Llama that says what its checkpoint says, but for the changes."""
    save_llama(tmp_path / "tiny")
    opened = open_source(str(tmp_path / "tiny"), whole=False).model
    assert opened.llm is not None
    facts = {name: getattr(opened.llm, name) for name in member.COMPARED} | {
        "architecture": opened.architecture,
        "parameters": opened.parameters,
        "source": "written by the test itself",
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in (facts | changes).items() if value is not None]
    path = tmp_path / "card.toml"
    path.write_text(CARD + "\n".join(lines), encoding="utf-8")
    return path


def test_a_cards_facts_are_held_against_the_checkpoint(tmp_path: Path) -> None:
    assert open_source(str(described(tmp_path)), whole=False).ref == "tiny"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"layers": 7}, r"layers is \d+, the card says 7"),
        ({"context_length": 77}, r"context_length is \d+, the card says 77"),
        ({"parameters": 10**9}, r"parameters, the card says 1,000,000,000"),
        ({"sliding_window": 5}, "sliding_window is None, the card says 5"),
        ({"architecture": "Phi3ForCausalLM"}, "architecture is LlamaForCausalLM, the card says Phi3ForCausalLM"),
        ({"eos_token_ids": [4000]}, r"the card has \[4000\] too"),
    ],
)
def test_a_fact_that_differs_is_named(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    path = described(tmp_path, **changes)
    with pytest.raises(SourceError, match=named) as error:
        open_source(str(path), whole=False)
    assert error.value.exit_code == 4 and "not the model of the card tiny" in error.value.message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[member]\nfamili = 'x'", "unknown key 'member.famili'; did you mean 'family'"),
        ("[member.decoder]\nlayer = 3", "unknown key 'member.decoder.layer'; did you mean 'layers'"),
        ("[[member.scores]]\nbenchmark = 'MMLU'\nvalue = 3", "member.scores.0.source: field required"),
    ],
)
def test_a_wrong_key_of_a_member_is_named(tmp_path: Path, line: str, message: str) -> None:
    text = described(tmp_path).read_text(encoding="utf-8")
    head, _, rest = line.partition("\n")
    text = text.replace(f"\n{head}\n", f"\n{head}\n{rest}\n") if f"\n{head}\n" in text else f"{text}\n{line}\n"
    (tmp_path / "card.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=re.escape(message)):
        cards.load(str(tmp_path / "card.toml"))


def test_models_show_prints_facts_scores_and_targets(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["models", "show", "phi-2"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for part in ("PhiForCausalLM", "2,779,683,840", "linux-cpu", "in float alone", "defect: "):
        assert part in out
    assert commands.main(["models", "show", "phi-4", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    assert {row["target"] for row in data["targets"]} == set(target.names())
    assert {"benchmark": "MMLU", "value": 84.8}.items() <= data["member"]["scores"][0].items()
    assert commands.main(["models", "show", "phi-4-mini-instrct", "--json"]) == 4
    assert "did you mean 'phi-4-mini-instruct'" in json.loads(capsys.readouterr().out)["error"]["message"]
