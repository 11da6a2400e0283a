"""Gate: an answer that is asked for as JSON is JSON, and calls of functions are well formed.

The runtime's guidance allows only tokens that keep to the schema, so every answer must parse; a tokenizer or an end
token that is off breaks that. Whether the right function is called with the right values is the model's own merit: it
is reported, beside what the cases' authors expect, and never judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.inputs import function_calls
from edgekit.quality import _reference
from edgekit.quality._advice import FROM_CHECKPOINT
from edgekit.quality._context import GateContext, measured, not_measured, run_child
from edgekit.results import metrics as m
from edgekit.results.measurement import Measurement
from edgekit.wrappers.python.calls import call_of

KIND = "llm"
METRICS = (m.JSON_PARSE_RATE,)
ADVICE = "compare the tokenizer and the end tokens with the source's: guidance needs both"
INSTEAD = {"gguf": FROM_CHECKPOINT}
FAST = 3  # cases of a quick look
NEW_TOKENS = 192


def measure(ctx: GateContext) -> list[Measurement]:
    """The share of guided answers that end, parse and have what their schema requires.

    Models whose template takes tools are given them; others are asked for the same JSON in words. Base models, which
    have no template, are not asked.
    """
    said = _reference.chat(ctx)
    names = [conversation["name"] for conversation in _reference.conversations()]
    takes = {name for name, rendered in zip(names, said["rendered"], strict=True) if rendered}
    if said["template_error"]:
        return [not_measured(m.JSON_PARSE_RATE, f"the source's chat template fails ({said['template_error']})")]
    if "one turn" not in takes:
        return []
    tools = "tools" in takes
    cases = function_calls.cases(tools=tools)[: FAST if ctx.mode == "fast" else None]
    asked = [{"conversation": one["conversation"], "schema": one["schema"]} for one in cases]
    request = {"action": "guided", "cases": asked, "new_tokens": NEW_TOKENS}
    answers = run_child(ctx, "_child_llm", request)[1]["answers"]
    found = [_call(case, answer) for case, answer in zip(cases, answers, strict=True)]
    wrong = [
        f"{case['id']}: {answer.get('error') or answer['text'][:60]!r}"
        for case, answer, call in zip(cases, answers, found, strict=True)
        if call is None
    ]
    right = sum(_expected(case, call) for case, call in zip(cases, found, strict=True))
    how = "with the template's tools" if tools else "in words: the template takes no tools"
    reason = "; ".join(wrong[:3]) or f"{len(cases)} function calls asked for {how}"
    return [
        measured(m.JSON_PARSE_RATE, 1 - len(wrong) / len(cases), n=len(cases), reason=reason),
        measured(m.FUNCTION_CALL_AGREEMENT, right / len(cases), n=len(cases), reason="calls as their authors expect"),
    ]


def _call(case: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any] | None:
    """The answer as a call; None where it did not end, does not parse, or lacks what is required."""
    return call_of(answer["text"], case["tools"]) if answer.get("ended") else None


def _expected(case: Mapping[str, Any], call: Mapping[str, Any] | None) -> bool:
    """Whether the call is one that the case's authors accept ("" stands for an argument left out)."""
    if call is None or call["name"] not in case["expected"]:
        return False
    accepted = case["expected"][call["name"]]
    given = call["arguments"]
    return set(given) <= set(accepted) and all(given.get(name, "") in values for name, values in accepted.items())
