"""What shows in a decoder's files, in seconds, that they do not belong together or were never trained.

Certain signs alone: what may be right is left to the gate, which runs the model.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.model import DecoderFacts
from edgekit.sources.facts import safetensors, templates
from edgekit.sources.facts.files import TOKENIZER_LIMIT, read_json
from edgekit.sources.facts.safetensors import Weight

NORM = re.compile(r"norm\d?\.weight$|layernorm\.weight$")
EMBEDDING = re.compile(r"(^|\.)(embed_tokens|wte|word_embeddings)\.weight$")
ROWS = 2048  # of the embeddings that are looked at
# A row of independent numbers is as long as any other but for a share of 1 / sqrt(2 width); trained rows differ by far
# more (SmolLM2: 0.18, where chance gives 0.03), however their space is rotated.
AS_CHANCE = 2.0
LEAST_TOKENS = 0.75  # of the model's embeddings: padding takes a few of a hundred
CONTROL = re.compile(r"<\|[\w-]+\|>|<(?:start|end)_of_\w+>")


def of(folder: Path, weights: dict[str, Weight], facts: DecoderFacts) -> tuple[str, ...]:
    """The doubts, a line each; none for a folder whose parts fit together."""
    document = read_json(folder / "tokenizer.json", TOKENIZER_LIMIT) if (folder / "tokenizer.json").is_file() else {}
    lines = [_untrained(folder, weights, facts)]
    if document:
        tokens, special = _tokens(document)
        lines += [_too_few(tokens, facts), _ends(tokens, special, facts), _template(folder, tokens)]
    return tuple(line for line in lines if line)


def _untrained(folder: Path, weights: dict[str, Weight], facts: DecoderFacts) -> str:
    """Every normalization as it is initialized, and embeddings as long as chance makes them."""
    norms = [name for name, weight in weights.items() if NORM.search(name) and len(weight.shape) == 1]
    table = next((name for name in weights if EMBEDDING.search(name)), None)
    if not norms or table is None or facts.hidden_size < 16:
        return ""
    values = [safetensors.rows(folder, name, 1) for name in norms]
    if any(entry is None or len(np.unique(entry)) != 1 or float(entry.flat[0]) not in (0.0, 1.0) for entry in values):
        return ""
    rows = safetensors.rows(folder, table, ROWS)
    if rows is None:
        return ""
    lengths: NDArray[Any] = np.linalg.norm(rows.astype(np.float64), axis=-1)
    lengths = lengths[lengths > 0]
    if len(lengths) < 2:
        return ""
    spread, chance = float(lengths.std() / lengths.mean()), 1 / math.sqrt(2 * facts.hidden_size)
    if spread > AS_CHANCE * chance:
        return ""
    return (
        f"its weights look random: {len(norms)} normalizations are as they are initialized, and its embeddings differ "
        f"in length by {spread:.1%}, as chance makes them"
    )


def _tokens(document: dict[str, Any]) -> tuple[dict[str, int], set[int]]:
    """Token -> id of a tokenizer.json that hf_folder has checked, and the ids of the added ones."""
    vocabulary = document["model"]["vocab"]
    if isinstance(vocabulary, list):
        tokens = {str(token): at for at, (token, _) in enumerate(vocabulary)}
    else:
        tokens = dict(vocabulary)
    added = {entry["content"]: entry["id"] for entry in document.get("added_tokens") or []}
    return {**tokens, **added}, set(added.values())


def _too_few(tokens: dict[str, int], facts: DecoderFacts) -> str:
    if len(tokens) >= LEAST_TOKENS * facts.vocab_size:
        return ""
    return f"its tokenizer has {len(tokens)} tokens, the model embeddings for {facts.vocab_size}: it is another model's"


def _ends(tokens: dict[str, int], special: set[int], facts: DecoderFacts) -> str:
    """No end token is a token that text cannot contain."""
    if not special or special & set(facts.eos_token_ids):
        return ""
    words = {at: token for token, at in tokens.items()}
    named = ", ".join(f"{at} ({words[at]!r})" if at in words else f"{at} (none)" for at in facts.eos_token_ids)
    return f"its end tokens {named} are no special tokens of its tokenizer: it is another model's"


def _template(folder: Path, tokens: dict[str, int]) -> str:
    """Most of the template's control tokens are in no vocabulary."""
    text = templates.written(folder)
    control = sorted(set(CONTROL.findall(text)))
    missing = [token for token in control if token not in tokens]
    if len(missing) * 2 <= len(control) or not missing:
        return ""
    return f"its chat template is another model's: its tokenizer does not have {', '.join(missing[:6])}"
