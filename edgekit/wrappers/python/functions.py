"""Function calls as families of models write them: found in an answer, held to their schema, told again in a prompt."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from .text import overlap

Call = dict[str, Any]  # {"name", "arguments"}

# A family's form -> what stands before and behind the JSON of a call, and its key of the arguments.
FORMS = {
    "phi-4-mini": ("<|tool_call|>[", "]<|/tool_call|>", "arguments"),
    "hermes": ("<tool_call>\n", "\n</tool_call>", "arguments"),
    "llama": ("", "", "parameters"),
    "json": ("", "", "arguments"),
}
# How a call may begin without the marks of its family.
BARE = ("{", "[", "<|python_tag|>")
# The engine's own keys: without them a weak model may write nothing but spaces.
COMPACT = {"x-guidance": {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}}
# An end to every value, which a weak model may never find: it goes on with a text, a list or digits.
LONGEST: dict[str, dict[str, Any]] = {
    "string": {"maxLength": 1000},
    "array": {"maxItems": 32},
    "integer": {"minimum": -(10**15), "maximum": 10**15},
    "number": {"minimum": -(10**12), "maximum": 10**12, "multipleOf": 0.0001},
}


def calls_in(text: str, form: str | None) -> list[Call]:
    """The calls that an answer consists of; none where it is text, or one of them is no JSON of a call.

    Args:
        text: the answer, with the marks of calls in it and without its thoughts.
        form: one of FORMS; any other has no calls.
    """
    if form not in FORMS:
        return []
    begin, end = FORMS[form][0].rstrip("[\n"), FORMS[form][1].strip("]\n")
    if begin and begin in text:
        pieces = [piece.partition(end)[0] for piece in text.split(begin)[1:]]
    else:
        bare = text.strip().removeprefix("<|python_tag|>")
        pieces = [bare] if _json(bare) is not None else bare.replace(";\n", "; ").split("; ")
    read: list[Call] = []
    for piece in pieces:
        value = _json(piece)
        items = value if isinstance(value, list) else [value]
        calls = [_call(item) for item in items]
        if not calls or None in calls:
            return []
        read += [call for call in calls if call is not None]
    return read


def may_be_call(text: str, form: str) -> bool:
    """Whether an answer that begins so may still become a call."""
    shown = text.lstrip()
    begins = (FORMS[form][0].rstrip("[\n"), *BARE)
    return any(shown.startswith(begin) or begin.startswith(shown) for begin in begins if begin)


class CallHolder:
    """Passes the text of an answer on, but holds back what may be a call.

    Attributes:
        held: that; at the end it is one, or text.
    """

    def __init__(self, form: str | None) -> None:
        self._form = form
        self._begun = False  # something was passed on: only a mark begins a call now
        self.held = ""

    def push(self, text: str) -> str:
        """What may be shown now."""
        self.held += text
        if self._form is not None and not self._begun and may_be_call(self.held, self._form):
            return ""
        mark = FORMS[self._form][0].rstrip("[\n") if self._form else ""
        at = self.held.find(mark) if mark else -1
        if at < 0:
            at = len(self.held) - (overlap(self.held, mark) if mark else 0)
        shown, self.held = self.held[:at], self.held[at:]
        self._begun = self._begun or bool(shown)
        return shown


def grammar(form: str, tools: Sequence[Mapping[str, Any]], special: Sequence[str], *, required: bool) -> str:
    """What an answer may be, as llguidance's Lark: one call of these functions, or text.

    Args:
        special: the marks that are special tokens.
        required: only a call.
    """
    before, behind, key = FORMS[form]
    calls = [_schema(tool.get("function", tool), key) for tool in tools]
    schema = (calls[0] if len(calls) == 1 else {"anyOf": calls}) | COMPACT
    parts = [*_words(before, special), f"%json {json.dumps(schema)}", *_words(behind, special)]
    text = "" if required else " | TEXT\nTEXT: /[^<{\\[ \\t\\n](.|\\n)*/"
    return f"start: call{text}\ncall: {' '.join(parts)}\n"


def told(message: Mapping[str, Any], form: str) -> dict[str, Any]:
    """A message for a template that knows nothing of calls: its calls as the model wrote them."""
    before, behind, key = FORMS[form]
    again = {name: value for name, value in message.items() if name != "tool_calls"}
    if message.get("role") == "tool" and form == "phi-4-mini":
        return again | {"role": "tool_response"}  # its token for what a function answered
    if not message.get("tool_calls"):
        return again
    calls = [call.get("function", call) for call in message["tool_calls"]]
    texts = [json.dumps({"name": call["name"], key: call["arguments"]}, ensure_ascii=False) for call in calls]
    written = (
        before + ", ".join(texts) + behind
        if form == "phi-4-mini"
        else "\n".join(before + call + behind for call in texts)
    )
    return again | {"content": (message.get("content") or "") + written}


def _call(item: Any) -> Call | None:
    if not isinstance(item, dict):
        return None
    if isinstance(item.get("function"), dict):
        item = item["function"]
    arguments = item.get("arguments", item.get("parameters", {}))
    if isinstance(arguments, str):
        arguments = _json(arguments)
    if not isinstance(item.get("name"), str) or not isinstance(arguments, dict):
        return None
    return {"name": item["name"], "arguments": arguments}


def _json(text: str) -> Any:
    """The value of a JSON text; None where it is none."""
    try:
        return json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):
        return None


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(text)
    return value


def _words(text: str, special: Sequence[str]) -> list[str]:
    """A text in Lark, where the mark in it may be a special token."""
    for mark in special:
        if mark in text:
            before, _, behind = text.partition(mark)
            return [*_words(before, ()), mark, *_words(behind, ())]
    return [json.dumps(text)] if text else []


def _schema(function: Mapping[str, Any], key: str) -> dict[str, Any]:
    """{"name": ..., key: {...}}: a call of this function and of no other."""
    parameters = function.get("parameters") or {}
    return {
        "type": "object",
        "properties": {
            "name": {"enum": [function["name"]]},
            key: bounded({"type": "object", "properties": {}} | dict(parameters)),
        },
        "required": ["name", key],
        "additionalProperties": False,
    }


def bounded(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with an end to every text, list and number, and without words for people."""
    limited: dict[str, Any] = {key: value for key, value in schema.items() if key not in ("description", "default")}
    if isinstance(limited.get("properties"), Mapping):
        limited["properties"] = {
            name: bounded(value) if isinstance(value, Mapping) else value
            for name, value in limited["properties"].items()
        }
        limited.setdefault("additionalProperties", False)
    if isinstance(limited.get("items"), Mapping):
        limited["items"] = bounded(limited["items"])
    return LONGEST.get(str(limited.get("type")), {}) | limited
