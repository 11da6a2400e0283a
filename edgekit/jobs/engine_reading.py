r"""How GenAI's tokenizer cuts a text before it merges, where that is not what tokenizer.json says.

The engine looks for known parts in the pattern of tokenizer.json and calls a function of its own for each. That of
o200k's `[\r\n/]*` behind punctuation takes line ends and no slash; that of `\s*[\r\n]+` ends at the first run of line
ends where it begins with one and blanks stand behind the last. No other way of writing them helps: what is none of its
parts goes to std::regex, which knows no classes of characters, overflows the stack on long runs, and is asked last.

A vocabulary of SentencePiece (Phi-3's, Llama 2's) has no pattern at all, and the engine cuts its texts by Llama 3's all
the same. That shows in two places, for elsewhere no token reaches over a cut: before the last blank of a run (not of
the one that a text begins with), where no token begins with a blank and what follows, as in `a  1`; and behind an
apostrophe and the letters of a contraction, as in `f'the`. Merges that are written "a b" and not as pairs lose their
carriage returns there, so that `) ;\r` is read as another `) ;`, and of less rank; what builds a bundle writes pairs.

Said as patterns, these readings give the engine's ids in Hugging Face's own tokenizer: so a difference has a name, and
what it does to a model can be measured. tests/olive/test_engine_reading.py has the rates on a megabyte of sources.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

# cause -> the part as it is written, and as it is read
READINGS = {
    "slash": (r"[\r\n/]*", r"[\r\n]*"),
    "blank-lines": (r"\s*[\r\n]+", r"[\r\n]+(?=\s*[^\S\r\n](?:\S|\z))|\s*[\r\n]+"),
}
ALL = "+".join(READINGS)
BLANK = "\u2581"  # SentencePiece's
# cause -> what is cut out of a text before it merges
CUTS = {
    "last-blank": rf"(?<=[^{BLANK}]){BLANK}+(?={BLANK}[^{BLANK}\s])",
    "contraction": r"(?<=[\p{L}\p{N}\s])(?i:'s|'t|'re|'ve|'m|'ll|'d)",
}


def readings(tokenizer: Any) -> dict[str, Any]:
    """The tokenizer as the engine reads it, by cause: each alone, then all of them.

    Args:
        tokenizer: a tokenizers.Tokenizer.

    Returns: tokenizers.Tokenizer by cause; empty for a pattern that is read as it is written.
    """
    document = json.loads(tokenizer.to_str())
    if not document.get("pre_tokenizer") and BLANK in json.dumps(document.get("normalizer"), ensure_ascii=False):
        both = {"+".join(CUTS): "|".join(CUTS.values())}
        return {cause: _cut(document, pattern) for cause, pattern in {**CUTS, **both}.items()}
    patterns = [one["Regex"] for one in _patterns(document)]
    parts = [cause for cause, (part, _) in READINGS.items() if any(part in pattern for pattern in patterns)]
    made = {cause: _read(document, [cause]) for cause in parts}
    return made | ({ALL: _read(document, parts)} if len(parts) > 1 else {})


def _cut(document: dict[str, Any], pattern: str) -> Any:
    first = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return _read(document | {"pre_tokenizer": first}, [])


def _read(document: dict[str, Any], causes: list[str]) -> Any:
    from tokenizers import Tokenizer  # type: ignore[import-untyped]

    changed = json.loads(json.dumps(document))
    for pattern in _patterns(changed):
        for cause in causes:
            pattern["Regex"] = pattern["Regex"].replace(*READINGS[cause])
    return Tokenizer.from_str(json.dumps(changed))


def _patterns(document: dict[str, Any]) -> Iterable[dict[str, str]]:
    """The regular expressions of a tokenizer.json's pre-tokenizer, or of those that it is a sequence of."""
    first = document.get("pre_tokenizer") or {}
    for one in first.get("pretokenizers") or [first]:
        pattern = one.get("pattern")
        if isinstance(pattern, dict) and isinstance(pattern.get("Regex"), str):
            yield pattern
