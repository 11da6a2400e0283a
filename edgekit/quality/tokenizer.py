"""Gate: the runtime's tokenizer gives the source's token ids.

The runtime's tokenizer is not Hugging Face's: a checkpoint whose tokenizer_class is wrong is cut into other tokens on
the device and answers garbage, while every number of the graph is right.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from edgekit.quality import _reference
from edgekit.quality._advice import FROM_CHECKPOINT
from edgekit.quality._context import GateContext, measured, runtime_ids
from edgekit.results import metrics as m
from edgekit.results.measurement import Measurement

KIND = "llm"
METRICS = (m.TOKEN_MISMATCH_RATE, m.TOKENS_TOUCHED_RATE, m.TOKENS_TOUCHED_SHIFT)
# GenAI 0.14.1 drops a text's last letter where the one before it begins a special token (a space, of a run).
LOST = "last-letter"
ADVICE = "check tokenizer_class in the source's tokenizer_config.json against its tokenizer.json"
INSTEAD = {"gguf": FROM_CHECKPOINT}


def measure(ctx: GateContext) -> list[Measurement]:
    """The share of texts with other ids: conformance strings, shipped documents, rendered conversations.

    A text whose mismatch has a known cause is counted apart, in the reason: a conformance string whose cause is listed,
    or any text that becomes the runtime's ids where the pattern is read as the runtime reads it
    (jobs/engine_reading.py). What that reading does to the shipped documents has limits of its own.
    """
    source = _reference.chat(ctx)
    rendered = [one for one in source["rendered"] if one]
    texts = _reference.strings() + [one["text"] for one in rendered]
    expected = source["ids"] + [one["ids"] for one in rendered]
    built = runtime_ids(ctx, texts, plain=len(source["ids"]))
    causes = [one.get("known") for one in _reference.conformance()["strings"]]
    causes += [None] * (len(texts) - len(causes))
    wrong = [at for at, ids in enumerate(built) if ids != expected[at]]
    listed = len(_reference.conformance()["strings"])  # a document or a conversation that loses a letter is no detail
    _by_loss(ctx, texts, built, [at for at in wrong if causes[at] is None and at < listed], causes)
    effect: list[Measurement] = []
    if unnamed := [at for at in wrong if causes[at] is None]:
        effect = _by_reading(ctx, texts, len(source["ids"]), built, unnamed, causes)
    unexplained = [texts[at] for at in wrong if causes[at] is None]
    explained = Counter(causes[at] for at in wrong if causes[at])
    reason = "; ".join(
        [f"{count} of known cause: {cause}" for cause, count in sorted(explained.items())]
        + [f"differs: {text[:40]!r}" for text in unexplained[:3]]
    )
    return [measured(m.TOKEN_MISMATCH_RATE, len(unexplained) / len(texts), n=len(texts), reason=reason), *effect]


def _by_loss(ctx: GateContext, texts: list[str], built: list[Any], wrong: list[int], causes: list[str | None]) -> None:
    """Name, in place, the texts to which the runtime gives the ids of the same text without its last letter."""
    if not wrong:
        return
    shorter = runtime_ids(ctx, [texts[at][:-1] for at in wrong], plain=len(wrong))
    for at, ids in zip(wrong, shorter, strict=True):
        causes[at] = LOST if ids == built[at] else None


def _by_reading(
    ctx: GateContext, texts: list[str], strings: int, built: list[Any], wrong: list[int], causes: list[str | None]
) -> list[Measurement]:
    """Name the causes of texts in place; what they do to the shipped documents, where one was named."""
    asked = [{"text": texts[at], "special": at < strings} for at in wrong]
    found = _reference.reading(ctx, asked)
    for place, at in enumerate(wrong):
        causes[at] = next((cause for cause, ids in found["ids"].items() if ids[place] == built[at]), None)
    if not any(causes[at] for at in wrong):
        return []
    n, touched = found["tokens"], found["touched"]
    return [
        measured(m.TOKENS_TOUCHED_RATE, touched / max(n, 1), n=n, reason=f"{touched} tokens of the shipped documents"),
        measured(m.TOKENS_TOUCHED_SHIFT, found["shift"], n=n),
    ]
