"""The token that texts are padded with: a decoder that classifies takes a text's class where it begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit.sources.facts.files import TOKENIZER_LIMIT, optional_json, read_json

CLASSIFIER = "ForSequenceClassification"
KEY = "pad_token_id"


def filled(folder: Path, config: dict[str, Any], lines: list[str]) -> dict[str, Any]:
    """A classifier's config.json with the id of the tokenizer's padding, where it names none, and a line of that."""
    named = str((config.get("architectures") or [""])[0])
    if not named.endswith(CLASSIFIER) or config.get(KEY) is not None:
        return config
    token = next(map(_token, _settings(folder)), None)
    at = _id(folder, token) if token else None
    if at is None:
        return config
    lines.append(f"config.json: {KEY} {at} added: the tokenizer pads with {token}")
    return {**config, KEY: at}


def _settings(folder: Path) -> list[Any]:
    """What the tokenizer's files call its padding."""
    stated = (optional_json(folder / name) for name in ("tokenizer_config.json", "special_tokens_map.json"))
    return [settings["pad_token"] for settings in stated if settings.get("pad_token")]


def _token(stated: Any) -> str:
    return str(stated.get("content", "")) if isinstance(stated, dict) else str(stated)


def _id(folder: Path, token: str) -> int | None:
    path = folder / "tokenizer.json"
    document = read_json(path, TOKENIZER_LIMIT) if path.is_file() else {}
    model = document.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    ids = dict(vocabulary) if isinstance(vocabulary, dict) else {}
    if isinstance(vocabulary, list):
        ids = {str(entry[0]): at for at, entry in enumerate(vocabulary) if isinstance(entry, list) and entry}
    added = document.get("added_tokens")
    ids |= {each.get("content"): each.get("id") for each in added or [] if isinstance(each, dict)}
    at = ids.get(token)
    return at if type(at) is int else None
