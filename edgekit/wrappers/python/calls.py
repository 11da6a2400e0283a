"""Function calls in JSON: the engine's guidance allows only tokens that keep to a schema, so every answer must parse.

What guidance needs (the tokenizer's texts, the end tokens, an engine built with it) differs by device: a bundle whose
template takes tools carries cases that are asked again there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .answers import Sampling
from .manifest import Refused

if TYPE_CHECKING:
    from .llm import LlmBundle


def call_of(text: str, tools: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The answer as {"name", "arguments"}; None where it does not parse, or lacks what its function requires."""
    try:
        call: dict[str, Any] = json.loads(text)
        required = {one["function"]["name"]: one["function"]["parameters"]["required"] for one in tools}
        whole = isinstance(call["arguments"], dict) and set(required[call["name"]]) <= set(call["arguments"])
        return call if whole else None
    except (KeyError, TypeError, ValueError):
        return None


def ask(bundle: LlmBundle, cases: Sequence[Mapping[str, Any]], new_tokens: int) -> dict[str, Any]:
    """Answer cases greedily, each within its schema.

    Args:
        cases: id, prompt, tools and schema of each, as in check/function_calls.json.

    Returns: asked, parsed, wrong (in words, one line each) and reason: why nothing was asked, if so.
    """
    wrong: list[str] = []
    for at, case in enumerate(cases):
        try:
            answer = bundle.generate(
                case["prompt"],
                max_tokens=new_tokens,
                sampling=Sampling(),
                json_schema=case["schema"],
                rendered=True,
            )
        except Refused as error:  # as in an engine built without guidance
            return {"asked": at, "parsed": at - len(wrong), "wrong": wrong, "reason": error.message}
        text = "".join(answer)
        if answer.reason != "eos" or call_of(text, case["tools"]) is None:
            wrong.append(f"function call {case['id']}: no call in {text[:60]!r}")
    return {"asked": len(cases), "parsed": len(cases) - len(wrong), "wrong": wrong, "reason": ""}
