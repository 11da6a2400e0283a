"""A static language model as Olive leaves it: several graphs that GenAI runs one behind the other (decoder-pipeline).

GenAI fills the prompt up to the window's 64 tokens with padding and attends to it: with a token that the model takes
for the end of a turn (SmolLM2's <|im_end|>) the answer is another one. Seen with GenAI 0.14.1 and 0.18.0.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CONFIG = "genai_config.json"


def settle(folder: Path) -> set[str]:
    """Correct the configuration of a pipeline in place; returns the names of its graphs' weight files.

    Each graph becomes an object of its own in a list, so that their order does not hang on that of keys, and the
    padding becomes a token that ends no turn. A folder without a pipeline is left alone.
    """
    path = folder / CONFIG
    config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    stages = config.get("model", {}).get("decoder", {}).get("pipeline")
    if not stages:
        return set()
    parts = {name: part for stage in stages for name, part in stage.items()}
    config["model"]["decoder"]["pipeline"] = [{name: part} for name, part in parts.items()]
    config["model"]["pad_token_id"] = padding(config["model"], _tokens(folder), _template(folder))
    path.write_text(json.dumps(config, indent=4) + "\n", encoding="utf-8")
    return {name for part in parts.values() for name in _weights(folder / part["filename"])}


def padding(model: dict[str, Any], tokens: dict[int, str], template: str) -> int:
    """The token to fill windows with: an end token that the chat template does not use, else what was there.

    Args:
        model: of genai_config.json; eos_token_id is a number or a list of them.
        tokens: text of the special tokens by id.
        template: the chat template's text.
    """
    ends = model["eos_token_id"]
    for token in ends if isinstance(ends, list) else [ends]:
        if tokens.get(token) and tokens[token] not in template:
            return int(token)
    return int(model["pad_token_id"])


def _tokens(folder: Path) -> dict[int, str]:
    path = folder / "tokenizer.json"
    added = json.loads(path.read_text(encoding="utf-8")).get("added_tokens", ()) if path.is_file() else ()
    return {one["id"]: one["content"] for one in added}


def _template(folder: Path) -> str:
    """From its own file, or from tokenizer_config.json; may be a list of named ones there."""
    file, config = folder / "chat_template.jinja", folder / "tokenizer_config.json"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    found = json.loads(config.read_text(encoding="utf-8")).get("chat_template") if config.is_file() else None
    return json.dumps(found, ensure_ascii=False) if found else ""


def _weights(graph: Path) -> set[str]:
    import onnx
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    tensors = onnx.load(str(graph), load_external_data=False).graph.initializer
    return {ExternalDataInfo(one).location for one in tensors if uses_external_data(one)}
