"""Function calls: the schema of a case, and what counts as a call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edgekit.inputs import function_calls
from edgekit.quality import structured

pytestmark = pytest.mark.unit


def case(name: str) -> dict[str, Any]:
    return next(one for one in function_calls.cases(tools=True) if one["id"] == name)


def answer(call: Any, *, ended: bool = True) -> dict[str, Any]:
    return {"text": call if isinstance(call, str) else json.dumps(call), "ended": ended}


def test_the_cases_are_told_of() -> None:
    origin = function_calls.origin()
    assert origin["package"] == "bfcl-eval==2026.3.23" and origin["license"] == "Apache-2.0"
    assert any(len(one["tools"]) > 1 for one in function_calls.cases(tools=True))


def test_a_schema_ends_every_value() -> None:
    schema = case("simple_python_88")["schema"]
    arguments = schema["properties"]["arguments"]["properties"]
    assert arguments["height_m"] == {"type": "number", **function_calls.LONGEST["number"]}
    assert arguments["weight_kg"]["maximum"] == 1_000_000_000
    assert schema["x-guidance"] == {"whitespace_flexible": False}
    assert set(case("multiple_0")["schema"]) == {"anyOf", "x-guidance"}


def test_a_right_call_is_as_its_authors_expect() -> None:
    one = case("simple_python_88")
    call = {"name": "calculate_BMI", "arguments": {"weight_kg": 70, "height_m": 1.75}}
    assert structured._call(one, answer(call)) == call
    assert structured._expected(one, call)


def test_an_argument_that_may_be_left_out_may_be_left_out() -> None:
    one = case("simple_python_0")
    call = {"name": "calculate_triangle_area", "arguments": {"base": 10, "height": 5}}
    assert structured._expected(one, call)
    assert structured._expected(one, {**call, "arguments": {**call["arguments"], "unit": "units"}})
    assert not structured._expected(one, {**call, "arguments": {**call["arguments"], "unit": "miles"}})
    assert not structured._expected(one, {**call, "arguments": {**call["arguments"], "colour": "red"}})


@pytest.mark.parametrize(
    "given",
    [
        {"error": "no such schema"},
        answer('{"name": "calculate_BMI", "argu', ended=False),
        answer('{"name": "calculate_BMI", "argu'),
        answer({"name": "calculate_BMI", "arguments": {"weight_kg": 70}}),
        answer({"name": "other", "arguments": {}}),
        answer("[]"),
        answer({"arguments": {}}),
    ],
)
def test_what_is_no_call(given: dict[str, Any]) -> None:
    assert structured._call(case("simple_python_88"), given) is None


def test_a_template_without_tools_is_asked_in_words() -> None:
    one = function_calls.cases(tools=False)[0]
    assert one["conversation"]["tools"] is None
    assert "calculate_triangle_area: base, height, unit" in one["conversation"]["messages"][0]["content"]
