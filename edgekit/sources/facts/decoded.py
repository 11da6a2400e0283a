"""What an exported net's outputs stand for: a classifier's classes, a speech recognizer's characters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.sources.facts import detectors
from edgekit.sources.facts.files import TOKENIZER_LIMIT, optional_json, read_json
from edgekit.sources.source import Source

VOCABULARY, SETTINGS = "vocab.json", "tokenizer_config.json"
SPECIAL = ("pad_token", "bos_token", "eos_token", "unk_token")
DEFAULTS = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
BLANK = 0  # the label that CTC leaves out, as the contract's "ctc" reads


def described(folder: Path, config: dict[str, Any], source: Source) -> Source:
    """The source with what its folder says of its outputs; what is not understood is left out, and named."""
    named = config.get("id2label")
    if not source.model.architecture.endswith("ForCTC"):
        whole = isinstance(named, dict) and sorted(named) == sorted(map(str, range(len(named))))
        names = tuple(str(named[str(at)]) for at in range(len(named))) if whole and named else ()
        return detectors.described(replace(source, names=names), names)
    names, why = characters(folder, config.get("vocab_size"))
    if not why:
        return replace(source, decode="ctc", names=names)
    line = f"how its text is read is not in the contract: {why}"
    return replace(source, model=source.model.model_copy(update={"left_out": (*source.model.left_out, line)}))


def characters(folder: Path, size: object) -> tuple[tuple[str, ...], str]:
    """What each of `size` labels stands for, as transformers' Wav2Vec2CTCTokenizer reads them; or none, and why.

    Special tokens stand for nothing, the delimiter of words for a blank.
    """
    if not (folder / VOCABULARY).is_file():
        return (), f"there is no {VOCABULARY}"
    vocabulary, settings = read_json(folder / VOCABULARY, TOKENIZER_LIMIT), optional_json(folder / SETTINGS)
    if not all(type(number) is int for number in vocabulary.values()):
        return (), f"{VOCABULARY} is of several languages"
    if sorted(vocabulary.values()) != list(range(len(vocabulary))) or size != len(vocabulary):
        return (), f"{VOCABULARY} has {len(vocabulary)} tokens, the model {size}"
    special = {str(_text(settings.get(key, DEFAULTS[key]))): key for key in SPECIAL}
    delimiter = str(_text(settings.get("word_delimiter_token", "|")))
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    if special.get(tokens[BLANK]) != "pad_token":
        return (), f"its blank is not token {BLANK}"
    return tuple("" if token in special else " " if token == delimiter else token for token in tokens), ""


def _text(token: object) -> object:
    """A token as itself, or the text of one with settings."""
    return token.get("content") if isinstance(token, dict) else token
