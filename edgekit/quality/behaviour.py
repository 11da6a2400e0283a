"""Gate: the built model stops where its source stops, and does not repeat itself more."""

from __future__ import annotations

import numpy as np

from edgekit import console
from edgekit.quality import _reference, _stats
from edgekit.quality._context import GateContext, measured, not_measured, run_child
from edgekit.results import metrics as m
from edgekit.results.measurement import Measurement

KIND = "llm"
ADAPTED = True
METRICS = (m.EOS_RATE, m.REPETITION_RATE)
ADVICE = "check the end tokens first, then try a recipe that keeps more bits"
TEXT_ALONE = "the float source does not fit in memory: it was read layer by layer, and compared on text alone"
INSTEAD = {
    "float": "check the end tokens of the source; the recipe keeps all bits, so nothing else is to blame but the build",
    "fixed": "check the end tokens first; another recipe needs a target of your own (edgekit targets new --help)",
}


def measure(ctx: GateContext) -> list[Measurement]:
    """Greedy answers to the prompt set, beside the source's.

    The agreement of the first tokens is reported and never judged: one near-tie changes the rest of an answer. A source
    that does not fit in memory is not asked: every token of its answers would read all of its weights.
    """
    source = _reference.chat(ctx)
    if source["by_layer"]:
        console.warn(f"{ctx.source.model.name}: {TEXT_ALONE}")
        return [not_measured(m.GREEDY_PREFIX_AGREEMENT, TEXT_ALONE)]
    _, built = run_child(
        ctx,
        "_child_llm",
        {"action": "answers", "prompts": source["prompts"], "new_tokens": ctx.effort.new_tokens},
    )
    longest = ctx.effort.new_tokens
    # The source's answers hold their end token, the runtime's do not: without it "shorter" is "stopped" for both.
    answers = {
        m.SOURCE: [ids[:-1] if ids and ids[-1] in source["eos_token_ids"] else ids for ids in source["answers"]],
        "": built["answers"],
    }
    found = []
    for where, given in answers.items():
        stopped = np.mean([len(ids) < longest for ids in given])
        repeated = np.mean([_stats.repetition_rate(ids) for ids in given])
        found.append(measured(m.EOS_RATE.at(where), float(stopped), n=len(given)))
        found.append(measured(m.REPETITION_RATE.at(where), float(repeated), n=len(given)))
    same = [_stats.common_prefix(a, b) for a, b in zip(*answers.values(), strict=True)]
    return [*found, measured(m.GREEDY_PREFIX_AGREEMENT, float(np.mean(same)), n=len(same))]
