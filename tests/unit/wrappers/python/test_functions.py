"""Function calls in answers: read, guided, told again. engines/ has the same table for the C++ runner."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from edgekit.wrappers.python.chat import in_message
from edgekit.wrappers.python.functions import FORMS, CallHolder, calls_in, grammar, may_be_call, told
from tests.unit.wrappers.python.call_cases import BEGINNINGS, CASES

pytestmark = pytest.mark.unit
TOOL = {
    "type": "function",
    "function": {
        "name": "order",
        "description": "Orders.",
        "parameters": {
            "type": "object",
            "properties": {
                "count": {"type": "integer", "maximum": 9},
                "names": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["count"],
        },
    },
}


@pytest.mark.parametrize(("form", "answer", "calls"), CASES)
def test_the_calls_of_an_answer(form: str, answer: str, calls: list[dict[str, Any]]) -> None:
    assert calls_in(answer, form) == calls
    for size in (1, 5, 1000):
        holder = CallHolder(form if form in FORMS else None)
        shown = "".join(holder.push(answer[at : at + size]) for at in range(0, len(answer), size))
        assert shown + holder.held == answer
        if calls:
            assert calls_in(holder.held, form) == calls and "{" not in shown


@pytest.mark.parametrize(("form", "begun", "may"), BEGINNINGS)
def test_what_may_become_a_call(form: str, begun: str, may: bool) -> None:
    assert may_be_call(begun, form) is may


@pytest.mark.parametrize("form", FORMS)
def test_a_grammar_bounds_what_a_weak_model_would_never_end(form: str) -> None:
    rules = grammar(form, [TOOL], (), required=True)
    assert "TEXT" not in rules and rules.startswith("start: call\n")
    inline = re.search(r"%json (\{.*\})", rules)
    assert inline is not None
    schema = json.JSONDecoder().raw_decode(inline[1])[0]
    arguments = schema["properties"][FORMS[form][2]]
    assert (
        arguments["properties"]["count"]["maximum"] == 9 and arguments["properties"]["names"]["items"]["maxLength"] > 99
    )
    assert arguments["additionalProperties"] is False and "description" not in arguments
    assert grammar(form, [TOOL, TOOL], (), required=False).count('"enum": ["order"]') == 2


def test_marks_that_are_special_tokens_are_told_as_such() -> None:
    rules = grammar("phi-4-mini", [TOOL], ("<|tool_call|>", "<|/tool_call|>"), required=False)
    assert 'call: <|tool_call|> "[" %json' in rules and rules.rstrip().endswith('"]" <|/tool_call|>')
    assert '"<|tool_call|>["' in grammar("phi-4-mini", [TOOL], (), required=False)


def test_a_template_without_calls_reads_them_as_they_were_written() -> None:
    calls = [{"function": {"name": "a", "arguments": {"x": ["é"]}}}, {"function": {"name": "b", "arguments": {}}}]
    message = {"role": "assistant", "content": "", "tool_calls": calls}
    for form in FORMS:
        again = told(message, form)
        assert set(again) == {"role", "content"}
        if form in ("phi-4-mini", "hermes"):
            assert calls_in(again["content"], form) == [call["function"] for call in calls]
    answer = {"role": "tool", "name": "a", "content": "4"}
    assert told(answer, "phi-4-mini")["role"] == "tool_response" and told(answer, "hermes") == answer


def test_functions_stand_in_a_message_only_where_a_template_looks_for_them() -> None:
    messages = [{"role": "user", "content": "On?"}]
    assert in_message("{% for message in messages %}{{ message['content'] }}{% endfor %}", messages, [TOOL]) == messages
    assert in_message("{% if role in ['tools'] %}{{ tools }}{% endif %}", messages, [TOOL]) == messages
    for looks in (
        "{{ message['tools'] }}",
        '{{ messages[0]["tools"] }}',
        "{{ message.tools }}",
        "{{ m.get('tools') }}",
    ):
        system, user = in_message(looks, messages, [TOOL])
        assert json.loads(system["tools"]) == [TOOL["function"]] and user == messages[0] and system["content"] == ""
