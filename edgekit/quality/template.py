"""Gate: the chat template and the end tokens are the source's, and fit its tokenizer.

Guards against models that speak another model's template or never stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.contract import genai_config
from edgekit.kinds.llm import LlmContract
from edgekit.quality import _reference
from edgekit.quality._advice import FROM_CHECKPOINT
from edgekit.quality._context import GateContext, measured, not_measured, run_child
from edgekit.results import metrics as m
from edgekit.results.measurement import Measurement

KIND = "llm"
METRICS = (m.TEMPLATE_MISMATCH_RATE, m.CONTROL_TOKEN_SPLITS, m.EOS_IDS_MISSING)
ADVICE = "compare chat_template, added tokens and eos_token_id with those of the model's publisher"
INSTEAD = {"gguf": FROM_CHECKPOINT}


def measure(ctx: GateContext) -> list[Measurement]:
    """Rendered conversations, the template's control tokens, and end tokens."""
    source = _reference.chat(ctx)
    pairs = [
        (conversation, one)
        for conversation, one in zip(_reference.conversations(), source["rendered"], strict=True)
        if one
    ]
    ends = [_end_tokens(ctx, source["eos_token_ids"], source["end_token_id"])]
    if source["template_error"]:
        return [*(not_measured(metric, _refused(source)) for metric in METRICS[:2]), *ends]
    if not pairs:  # a base model: there is no template to be wrong
        return ends
    _, built = run_child(ctx, "_child_llm", {"action": "render", "conversations": [pair[0] for pair in pairs]})
    other = [
        f"{conversation['name']}: {one.get('error', 'another text')}"
        for (conversation, expected), one in zip(pairs, built["rendered"], strict=True)
        if one.get("text") != expected["text"]
    ]
    names = ", ".join(conversation["name"] for conversation, _ in pairs)
    rate = measured(
        m.TEMPLATE_MISMATCH_RATE,
        len(other) / len(pairs),
        n=len(pairs),
        reason="; ".join(other) or f"compared: {names}",
    )
    return [rate, _control_tokens(ctx, source["control"]), *ends]


def _refused(source: Mapping[str, Any]) -> str:
    return f"the source's chat template writes no conversation ({source['template_error']})"


def _control_tokens(ctx: GateContext, control: list[str]) -> Measurement:
    """How many of the template's control tokens the runtime cuts into pieces."""
    _, built = run_child(ctx, "_child_llm", {"action": "tokens", "strings": control})
    prefix = len(built["prefix"])
    split = [token for token, ids in zip(control, built["ids"], strict=True) if len(ids) - prefix != 1]
    reason = f"not one token: {', '.join(split)}" if split else ""
    return measured(m.CONTROL_TOKEN_SPLITS, len(split), n=len(control), reason=reason)


def _end_tokens(ctx: GateContext, eos: list[int], end: int | None) -> Measurement:
    """How many ids that must end an answer do not, in the runtime's configuration or in the contract for apps."""
    needed = set(eos) | ({end} if end is not None else set())
    stops = set(genai_config.read(ctx.model).model.ends)
    if isinstance(ctx.contract, LlmContract):
        stops &= set(ctx.contract.eos_token_ids)
    missing = sorted(needed - stops)
    reason = f"does not stop at {', '.join(map(str, missing))}" if missing else ""
    return measured(m.EOS_IDS_MISSING, len(missing), n=len(needed), reason=reason)
