"""Function calls that a language model is asked for in JSON: cases of bfcl-eval, each with the schema of an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from edgekit import files

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


def origin() -> dict[str, Any]:
    """Where the cases come from: package, licence, files, and what was changed."""
    found: dict[str, Any] = _data()["origin"]
    return found


def cases(*, tools: bool) -> list[dict[str, Any]]:
    """Each case: id, question, tools, expected, conversation and the schema of a right answer.

    Args:
        tools: given to the chat template; else the functions are told in words.
    """
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


@cache
def _data() -> dict[str, Any]:
    path = files.resource("inputs/function_calls.json")
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data
