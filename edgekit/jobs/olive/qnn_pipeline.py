"""A static language model as Olive leaves it: several graphs that GenAI runs one behind the other (decoder-pipeline).

GenAI fills the prompt up to the window's 64 tokens with padding and attends to it: with a token that the model takes
for the end of a turn (SmolLM2's <|im_end|>) the answer is another one. Seen with GenAI 0.14.1 and 0.18.0.
"""

from __future__ import annotations

import json
from pathlib import Path

from edgekit.contract import genai_config
from edgekit.contract.genai_config import GenaiModel


def settle(folder: Path) -> set[str]:
    """Correct the configuration of a pipeline in place; returns the names of its graphs' weight files.

    Each graph becomes an object of its own in a list, so that their order does not hang on that of keys, and the
    padding becomes a token that ends no turn. A folder without a pipeline is left alone.
    """
    config = genai_config.read(folder) if genai_config.there(folder) else None
    if config is None or not config.model.decoder.pipeline:
        return set()
    parts = config.model.decoder.parts
    decoder = config.model.decoder.replace(pipeline=tuple({name: part} for name, part in parts.items()))
    filler = padding(config.model, _tokens(folder), _template(folder))
    config = config.replace(model=config.model.replace(decoder=decoder, pad_token_id=filler))
    (folder / genai_config.NAME).write_text(genai_config.text(config), encoding="utf-8")
    return {name for part in parts.values() for name in _weights(folder / part.filename)}


def padding(model: GenaiModel, tokens: dict[int, str], template: str) -> int:
    """The token to fill windows with: an end token that the chat template does not use, else what was there.

    Args:
        model: of genai_config.json.
        tokens: text of the special tokens by id.
        template: the chat template's text.
    """
    for token in model.ends:
        if tokens.get(token) and tokens[token] not in template:
            return token
    return model.pad_token_id


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
    return {ExternalDataInfo(tensor).location for tensor in tensors if uses_external_data(tensor)}
