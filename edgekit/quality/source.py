"""Gate: the source is a model that was trained, with its own tokenizer, template and rotary embedding.

A bundle that is as good as a bad source passes every comparison with it. So the source is looked at by itself: what its
files show (sources/facts/doubts.py), its perplexity, whether any of its answers ends, and whether its rotary settings
make it worse than none. A fault makes the verdict invalid, unless the user accepts the source (--accept-source).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from edgekit.quality import _reference, _stats
from edgekit.quality._advice import ACCEPT, FROM_CHECKPOINT
from edgekit.quality._context import GateContext, measured
from edgekit.results import metrics as m
from edgekit.results.measurement import Measurement

KIND = "llm"
METRICS = (m.SOURCE_FAULTS,)
ADVICE = f"get the checkpoint again from its publisher, with its own tokenizer, template and config.json; {ACCEPT}"
INSTEAD = {"gguf": f"{FROM_CHECKPOINT}; {ACCEPT}"}
CHANCE = 0.5  # of the vocabulary: a perplexity from here on is that of a model that has learnt nothing
ANSWERS = 16  # of which one must end by itself
THINKS = "<think>"  # whose answers may be longer than those that are asked for here
WORSE = 0.1  # nats a token by which rotary settings may be worse than none on short text


def measure(ctx: GateContext) -> list[Measurement]:
    """How many faults the source shows, and which."""
    chat = _reference.chat(ctx)
    faults = [*ctx.source.doubts, *_unlearnt(ctx), *_endless(chat), *_foreign(chat), *_turned(ctx)]
    entry = measured(m.SOURCE_FAULTS, len(faults), n=1, reason="; ".join(faults))
    return [entry.model_copy(update={"valid": not faults or ctx.source.accepted})]


def _unlearnt(ctx: GateContext) -> list[str]:
    folder = _reference.logits(ctx, 0)
    windows = json.loads((folder / "windows.json").read_text(encoding="utf-8"))
    nll = np.load(folder / "nll.npy")
    text = np.concatenate([np.full(len(at["ids"]) - 1 - at["start"], at["kind"] == "text") for at in windows])
    facts = ctx.source.model.llm
    if facts is None or not text.any():
        return []
    perplexity = _stats.perplexity(nll[text])
    if perplexity < CHANCE * facts.vocab_size:
        return []
    return [f"its perplexity on text is {perplexity:.4g}, and chance in its vocabulary gives {facts.vocab_size}"]


def _endless(chat: dict[str, Any]) -> list[str]:
    """No answer of a chat model ends, though it has many tries."""
    answers, ends, rendered = chat["answers"], chat["eos_token_ids"], chat["rendered"]
    spoken = [entry["text"] for entry in rendered if entry]
    if not spoken or len(answers) < ANSWERS or any(THINKS in text for text in spoken):
        return []
    if any(ids and ids[-1] in ends for ids in answers):
        return []
    if chat["end_token_id"] is not None and chat["end_token_id"] not in ends:
        return []  # the template's gate has a name for that, and the build repairs it where the tokenizer knows better
    longest = max(map(len, answers))
    return [f"none of {len(answers)} answers ends within {longest} tokens"]


def _foreign(chat: dict[str, Any]) -> list[str]:
    unknown = chat["unknown"]
    return [f"its chat template writes {', '.join(unknown[:6])}, which its tokenizer does not have"] if unknown else []


def _turned(ctx: GateContext) -> list[str]:
    kind = _reference.rope_kind(ctx)
    if kind is None:
        return []
    as_it_is, without = _reference.rotary(ctx)
    if as_it_is <= without + WORSE:
        return []
    return [f"its rotary settings ({kind}) make short text worse: {as_it_is:.3g} nats a token, {without:.3g} without"]
