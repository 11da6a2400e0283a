"""Gate: a compiled language model answers on the accelerator's simulator as its source does.

The CPU runs the same quantized graphs before they were compiled, and the other gates judge those on thousands of
predictions. The simulator takes seconds for a window of 64 tokens: it runs some, and what it adds to the loss shows.
"""

from __future__ import annotations

import numpy as np

from edgekit.quality import _reference
from edgekit.quality._context import GateContext, measured, not_measured, run_child
from edgekit.results import metrics as m
from edgekit.results.measurement import Evidence, Measurement

KIND = "llm"
METRICS = (m.KL_MEAN.at("simulator"),)
ADVICE = "compare with kl_mean: if that one passes, the compiler or the chip's arithmetic is to blame: report the model"
EVIDENCE: Evidence = "simulated"
PIECES = {"fast": 1, "default": 2, "thorough": 8}  # of text, and of the source's own answers


def measure(ctx: GateContext) -> list[Measurement]:
    """Mean KL divergence and top-1 agreement of the compiled graphs; nothing where nothing was compiled.

    Reported beside them: how many tokens of the source's answers come out in a row, and how far the graphs for one
    token are from those for a window.
    """
    if ctx.compiled is None:
        return []
    request = {
        "action": "simulated",
        "model": str(ctx.compiled),
        "reference": str(_reference.logits(ctx, len(_reference.looks(ctx)) - 1 if ctx.mode == "thorough" else 0)),
        "ep_options": dict(ctx.ep_options),
        "pieces": PIECES[ctx.mode],
    }
    found = run_child(ctx, "_child_llm", request)[1]
    count = len(found["kl"])
    if found["nonfinite"]:
        return [not_measured(METRICS[0], f"{found['nonfinite']} of the logits are not finite")]
    values = {
        METRICS[0]: (np.mean(found["kl"]), count),
        m.TOP1_AGREEMENT.at("simulator"): (np.mean(found["same_best"]), count),
        m.GREEDY_PREFIX_AGREEMENT.at("simulator"): (np.mean(found["prefixes"]), len(found["prefixes"])),
        m.KL_MEAN.at("one_token"): (np.mean(found["token_kl"]), len(found["token_kl"])),
    }
    made = [measured(metric, float(value), n=n) for metric, (value, n) in values.items()]
    return [one.model_copy(update={"evidence": EVIDENCE}) for one in made]
