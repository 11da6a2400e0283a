"""Folders of transformers 5 are said in older words, or refused on opening."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import SourceError
from edgekit.sources.facts import newer

pytestmark = pytest.mark.unit

LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
FACTORS = {"short_factor": [1.0] * 8, "long_factor": [2.0] * 8}


def folder(at: Path, config: dict[str, Any], tokenizer: dict[str, Any] | None = None, *, fast: bool = True) -> Path:
    (at / "config.json").write_text(json.dumps({"model_type": "llama", **config}))
    if tokenizer is not None:
        (at / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    if fast:
        (at / "tokenizer.json").write_text("{}")
    return at


READ: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "theta alone": ({"rope_type": "default", "rope_theta": 5e5}, {"rope_theta": 5e5, "rope_scaling": None}),
    "no type": ({"rope_theta": 1e6}, {"rope_theta": 1e6, "rope_scaling": None}),
    "partial": (
        {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.4},
        {"rope_theta": 1e4, "partial_rotary_factor": 0.4, "rope_scaling": None},
    ),
    "linear": (
        {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0},
        {"rope_theta": 1e4, "rope_scaling": {"rope_type": "linear", "factor": 2.0}},
    ),
    "llama3": (
        {"rope_type": "llama3", "rope_theta": 5e5, **LLAMA3},
        {"rope_theta": 5e5, "rope_scaling": {"rope_type": "llama3", **LLAMA3}},
    ),
    "yarn": (
        {"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0, "original_max_position_embeddings": 32768},
        {
            "rope_theta": 1e6,
            "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
        },
    ),
    "layers that agree": (
        {"full_attention": {"rope_theta": 1e6}, "sliding_attention": {"rope_theta": 1e6}},
        {"rope_theta": 1e6, "rope_scaling": None},
    ),
}


@pytest.mark.parametrize("case", READ)
def test_rope_parameters_become_the_old_keys(case: str, tmp_path: Path) -> None:
    new, old = READ[case]
    found = newer.repairs(folder(tmp_path, {"hidden_size": 64, "rope_parameters": new}))
    assert found.files["config.json"] == {"model_type": "llama", "hidden_size": 64, **old}
    assert len(found.lines) == 1 and "rope_parameters" in found.lines[0]
    assert str(old["rope_theta"]) in found.lines[0]


def test_phi3_has_the_length_it_was_trained_for_beside_its_factors(tmp_path: Path) -> None:
    new = {"rope_type": "longrope", "rope_theta": 1e4, "partial_rotary_factor": 0.75, **FACTORS}
    config = {"model_type": "phi3", "rope_parameters": {**new, "original_max_position_embeddings": 4096}}
    found = newer.repairs(folder(tmp_path, config)).files["config.json"]
    assert found == {
        "model_type": "phi3",
        "rope_theta": 1e4,
        "partial_rotary_factor": 0.75,
        "original_max_position_embeddings": 4096,
        "rope_scaling": {"type": "longrope", **FACTORS},
    }


def test_layers_of_two_kinds_where_the_old_words_had_two(tmp_path: Path) -> None:
    tables = {"full_attention": {"rope_theta": 1e6, "rope_type": "linear", "factor": 8.0}}
    tables["sliding_attention"] = {"rope_theta": 1e4, "rope_type": "default"}
    gemma = folder(tmp_path, {"model_type": "gemma3_text", "rope_parameters": tables})
    found = newer.repairs(gemma).files["config.json"]
    assert found["rope_theta"] == 1e6 and found["rope_local_base_freq"] == 1e4
    assert found["rope_scaling"] == {"rope_type": "linear", "factor": 8.0}
    bert = folder(tmp_path, {"model_type": "modernbert", "rope_parameters": tables})
    found = newer.repairs(bert).files["config.json"]
    assert found["global_rope_theta"] == 1e6 and found["local_rope_theta"] == 1e4


def test_the_part_of_a_configuration(tmp_path: Path) -> None:
    text = {"model_type": "llama", "rope_parameters": {"rope_theta": 7e4}}
    found = newer.repairs(folder(tmp_path, {"model_type": "llava", "text_config": text}))
    assert found.files["config.json"]["text_config"] == {
        "model_type": "llama",
        "rope_theta": 7e4,
        "rope_scaling": None,
    }


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"rope_parameters": {"rope_type": "proportional", "rope_theta": 1e4}}, "proportional"),
        ({"rope_parameters": {"rope_theta": 1e4, "curve": 3}}, "curve"),
        ({"rope_parameters": [1e4]}, "no table"),
        ({"rope_theta": 1e4, "rope_parameters": {"rope_theta": 1e6}}, "twice"),
        (
            {"rope_parameters": {"full_attention": {"rope_theta": 1e6}, "sliding_attention": {"rope_theta": 1e4}}},
            "differs",
        ),
        ({"rope_parameters": {"full_attention": {"rope_theta": 1e6}, "rope_theta": 1e4}}, "several"),
    ],
)
def test_what_has_no_older_word_is_refused(config: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        newer.repairs(folder(tmp_path, config))
    assert caught.value.exit_code == 4 and caught.value.next


@pytest.mark.parametrize("name", [*newer.BACKENDS, "TokenizerOfTomorrow"])
def test_a_class_that_is_not_known_is_what_tokenizer_json_says(name: str, tmp_path: Path) -> None:
    found = newer.repairs(folder(tmp_path, {}, {"tokenizer_class": name, "backend": "tokenizers", "is_local": True}))
    assert found.files["tokenizer_config.json"]["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert name in found.lines[0]


@pytest.mark.parametrize("name", ["GPT2Tokenizer", "LlamaTokenizerFast", "PreTrainedTokenizerFast", "Qwen2Tokenizer"])
def test_a_class_that_is_known_stays(name: str, tmp_path: Path) -> None:
    assert newer.repairs(folder(tmp_path, {}, {"tokenizer_class": name})) == newer.Repairs({}, ())


def test_a_class_that_is_not_known_without_a_tokenizer_json(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="TokenizersBackend") as caught:
        newer.repairs(folder(tmp_path, {}, {"tokenizer_class": "TokenizersBackend"}, fast=False))
    assert caught.value.exit_code == 4


def test_renamed_special_tokens(tmp_path: Path) -> None:
    new = {
        "extra_special_tokens": ["<a>", "<b>"],
        "additional_special_tokens": ["<a>"],
        "model_specific_special_tokens": {"image_token": "<i>"},
    }
    found = newer.repairs(folder(tmp_path, {}, new)).files["tokenizer_config.json"]
    assert found == {
        "additional_special_tokens": ["<a>", "<b>"],
        "extra_special_tokens": {"image_token": "<i>"},
    }


def test_sections_of_positions_are_none_where_there_is_only_text(tmp_path: Path) -> None:
    sections = {"type": "mrope", "mrope_section": [2, 3, 3]}
    made = newer.repairs(folder(tmp_path, {"rope_scaling": sections, "rope_theta": 1e6}))
    assert made.files["config.json"] == {"model_type": "llama", "rope_scaling": None, "rope_theta": 1e6}
    assert "mrope read as none" in made.lines[0]


def test_longropes_first_name_where_the_architecture_does_not_know_it(tmp_path: Path) -> None:
    both = {"type": "longrope", "rope_type": "longrope"}
    made = newer.repairs(folder(tmp_path, {"rope_scaling": {"type": "su", **FACTORS}}))
    assert made.files["config.json"]["rope_scaling"] == {**both, **FACTORS}
    phi = {"model_type": "phi3", "rope_scaling": {"type": "su", **FACTORS}}
    assert newer.repairs(folder(tmp_path, phi)).files == {}


NAMED = [{"name": "default", "template": "{{ messages }}\n"}, {"name": "tool_use", "template": "{{ tools }}\n"}]


def test_named_chat_templates_become_one_as_transformers_chooses(tmp_path: Path) -> None:
    from jinja2 import Template

    made = newer.repairs(folder(tmp_path, {}, {"chat_template": NAMED}))
    template = Template(made.files["tokenizer_config.json"]["chat_template"])
    assert template.render(messages="m", tools=["t"]) == "['t']" and template.render(messages="m") == "m"
    assert "default, tool_use read as one" in made.lines[0]
    alone = newer.repairs(folder(tmp_path, {}, {"chat_template": NAMED[:1]}))
    assert alone.files["tokenizer_config.json"]["chat_template"] == "{{ messages }}"
    with pytest.raises(SourceError, match="none is the default"):
        newer.repairs(folder(tmp_path, {}, {"chat_template": NAMED[1:]}))


def test_templates_by_name_as_a_table_and_what_is_no_text(tmp_path: Path) -> None:
    place = folder(tmp_path, {"hidden_size": 64})
    path = place / "tokenizer_config.json"
    path.write_text(json.dumps({"chat_template": {"default": "{{ messages }}", "tool_use": "{{ tools }}"}}))
    written = newer.repairs(place).files["tokenizer_config.json"]["chat_template"]
    assert written == "{% if tools %}{{ tools }}{% else %}{{ messages }}{% endif %}"
    path.write_text(json.dumps({"chat_template": 5}))
    with pytest.raises(SourceError, match="chat_template is '5', no text"):
        newer.repairs(place)
