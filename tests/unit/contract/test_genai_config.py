"""genai_config.json is read and written in one place, and what is not known in it stays."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edgekit.contract import genai_config

pytestmark = pytest.mark.unit

PACKAGE = Path(genai_config.__file__).parents[1]
OUTSIDE = ("contract", "wrappers")  # the rooms that know the file; runtimes have a reader and a guard of their own
SINGLE: dict[str, Any] = {
    "model": {
        "type": "phi3",
        "eos_token_id": 7,
        "pad_token_id": 3,
        "decoder": {
            "filename": "model.onnx",
            "head_size": 96,
            "inputs": {"input_ids": "input_ids"},
            "session_options": {"log_id": "x", "provider_options": [{"webgpu": {"a": "1"}}]},
        },
    },
    "search": {"max_length": 131072, "top_k": 50},
}
PIPELINE: dict[str, Any] = {
    "model": {
        "eos_token_id": [7, 8],
        "decoder": {
            "sliding_window": {"window_size": 64, "pad_value": 0},
            "pipeline": [
                {"embeddings": {"filename": "e.onnx", "inputs": ["input_ids"]}},
                {"context_0": {"filename": "c.onnx", "run_on_token_gen": False}},
                {"iterator_0": {"filename": "i.onnx", "run_on_prompt": False}},
            ],
        },
    },
}


@pytest.mark.parametrize("document", [SINGLE, PIPELINE])
def test_what_is_not_known_stays(document: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / genai_config.NAME).write_text(json.dumps(document))
    assert genai_config.there(tmp_path)
    text = genai_config.text(genai_config.read(tmp_path))
    assert json.loads(text) == document
    assert text == json.dumps(document, indent=4, sort_keys=True) + "\n"


def test_facts_of_a_single_graph_and_of_a_pipeline() -> None:
    single, pipeline = (genai_config.GenaiConfig.model_validate(one).model for one in (SINGLE, PIPELINE))
    assert single.ends == (7,) and single.decoder.session_options.providers == ("webgpu",)
    assert not single.decoder.parts
    assert pipeline.ends == (7, 8) and pipeline.decoder.session_options.providers == ()
    assert list(pipeline.decoder.parts) == ["embeddings", "context_0", "iterator_0"]
    assert [part.of_layers for part in pipeline.decoder.parts.values()] == [False, True, True]


def test_a_change_is_all_that_changes() -> None:
    config = genai_config.GenaiConfig.model_validate(PIPELINE)
    config = config.replace(search=config.search.replace(max_length=64))
    assert json.loads(genai_config.text(config)) == PIPELINE | {"search": {"max_length": 64}}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"model": {}}', '{"model": {"decoder": {"pipeline": 3}}}', "{"])
def test_what_is_no_configuration(text: str, tmp_path: Path) -> None:
    (tmp_path / genai_config.NAME).write_text(text)
    with pytest.raises((ValueError, ValidationError)):
        genai_config.read(tmp_path)


def test_no_other_place_names_the_file() -> None:
    """Where the name stands, keys are soon read by hand."""
    named = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] not in OUTSIDE
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value == genai_config.NAME
    ]
    assert not named
