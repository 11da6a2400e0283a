"""Gate: an answer that is asked for as JSON is JSON, and calls of functions are well formed.

The runtime's guidance allows only tokens that keep to the schema, so every answer must parse; a tokenizer or an end
token that is off breaks that. Whether the right function is called with the right values is the model's own merit: it
is reported, beside what the cases' authors expect, and never judged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from edgekit.data import pretty
from edgekit.quality import _reference
from edgekit.quality._context import GateContext, measured, run_child
from edgekit.report.measurement import Measurement

KIND = "llm"
METRICS = ("json_parse_rate",)
ADVICE = "compare the tokenizer and the end tokens with the source's: guidance needs both"
GOLDENS = "function_calls.json"  # in the gate's folder, for the bundle's check data
FAST = 3  # cases of a quick look
NEW_TOKENS = 192
# The engine's own key. Without it a weak model may write nothing but spaces.
COMPACT = {"x-guidance": {"whitespace_flexible": False}}
# An end to every value, which a weak model may never find: it goes on with a text, a list or digits.
LIMIT = {"minimum": -1_000_000_000, "maximum": 1_000_000_000}
LONGEST: dict[str, dict[str, Any]] = {
    "string": {"maxLength": 60},
    "array": {"maxItems": 6},
    "integer": LIMIT,
    "number": {**LIMIT, "multipleOf": 0.0001},
}


def measure(ctx: GateContext) -> list[Measurement]:
    """The share of guided answers that end, parse and have what their schema requires.

    Models whose template takes tools are given them; others are asked for the same JSON in words. Base models, which
    have no template, are not asked.
    """
    said = _reference.chat(ctx)
    names = [conversation["name"] for conversation in _reference.conversations()]
    takes = {name for name, rendered in zip(names, said["rendered"], strict=True) if rendered}
    if "one turn" not in takes:
        return []
    tools = "tools" in takes
    cases = cases_of(tools)[: FAST if ctx.mode == "fast" else None]
    asked = [{"conversation": one["conversation"], "schema": one["schema"]} for one in cases]
    request = {"action": "guided", "cases": asked, "new_tokens": NEW_TOKENS}
    answers = run_child(ctx, "_child_llm", request)[1]["answers"]
    found = [_call(case, answer) for case, answer in zip(cases, answers, strict=True)]
    wrong = [
        f"{case['id']}: {answer.get('error') or answer['text'][:60]!r}"
        for case, answer, call in zip(cases, answers, found, strict=True)
        if call is None
    ]
    if tools:
        _record(ctx.work / GOLDENS, cases, answers)
    right = sum(_expected(case, call) for case, call in zip(cases, found, strict=True))
    how = "with the template's tools" if tools else "in words: the template takes no tools"
    reason = "; ".join(wrong[:3]) or f"{len(cases)} function calls asked for {how}"
    return [
        measured("json_parse_rate", 1 - len(wrong) / len(cases), n=len(cases), reason=reason),
        measured("function_call_agreement", right / len(cases), n=len(cases), reason="calls as their authors expect"),
    ]


def cases_of(tools: bool) -> list[dict[str, Any]]:
    """Each case with its conversation and the schema of a right answer."""
    found = []
    for case in _data()["cases"]:
        functions = [one["function"] for one in case["tools"]]
        question = case["question"] if tools else f"{case['question']}\n\n{_in_words(functions)}"
        conversation = {
            "messages": [{"role": "user", "content": question}],
            "tools": case["tools"] if tools else None,
            "add_generation_prompt": True,
        }
        calls = [_schema(one) for one in functions]
        schema = (calls[0] if len(calls) == 1 else {"anyOf": calls}) | COMPACT
        found.append({**case, "conversation": conversation, "schema": schema})
    return found


def _schema(function: Mapping[str, Any]) -> dict[str, Any]:
    """{"name": ..., "arguments": {...}}: a call of this function and of no other."""
    return {
        "type": "object",
        "properties": {"name": {"enum": [function["name"]]}, "arguments": _bounded(function["parameters"])},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def _bounded(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters' schema with an end to every text and list, and without words for people."""
    found: dict[str, Any] = {key: value for key, value in schema.items() if key != "description"}
    if "properties" in found:
        found["properties"] = {name: _bounded(one) for name, one in found["properties"].items()}
        found["additionalProperties"] = False
    if "items" in found:
        found["items"] = _bounded(found["items"])
    return found | LONGEST.get(str(found.get("type")), {})


def _in_words(functions: list[dict[str, Any]]) -> str:
    listed = "\n".join(f"- {one['name']}: {', '.join(one['parameters']['properties'])}" for one in functions)
    return f'Answer with JSON, {{"name": function, "arguments": {{...}}}}. The functions:\n{listed}'


def _call(case: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any] | None:
    """The answer as a call; None where it did not end, does not parse, or lacks what is required."""
    if not answer.get("ended"):
        return None
    try:
        call: dict[str, Any] = json.loads(answer["text"])
        required = {one["function"]["name"]: one["function"]["parameters"]["required"] for one in case["tools"]}
        return call if set(required[call["name"]]) <= set(call["arguments"]) else None
    except (KeyError, TypeError, ValueError):
        return None


def _expected(case: Mapping[str, Any], call: Mapping[str, Any] | None) -> bool:
    """Whether the call is one that the case's authors accept ("" stands for an argument left out)."""
    if call is None or call["name"] not in case["expected"]:
        return False
    accepted = case["expected"][call["name"]]
    given = call["arguments"]
    return set(given) <= set(accepted) and all(given.get(name, "") in values for name, values in accepted.items())


def _record(path: Path, cases: list[dict[str, Any]], answers: list[dict[str, Any]]) -> None:
    golden = [
        {key: case[key] for key in ("id", "conversation", "schema", "expected")} | {"answer": answer.get("text")}
        for case, answer in zip(cases, answers, strict=True)
    ]
    path.write_text(pretty({"origin": _data()["origin"], "cases": golden}), encoding="utf-8")


@cache
def _data() -> dict[str, Any]:
    path = files("edgekit.quality") / "data" / "function_calls.json"
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data
