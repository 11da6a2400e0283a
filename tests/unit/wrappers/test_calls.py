"""Function calls that a bundle carries; conformance.py has them asked again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_models import TEMPLATE, TOOLS

from edgekit.inputs import function_calls
from edgekit.report.check_plan import CALLS, PLAN
from edgekit.wrappers.python.calls import call_of
from edgekit.wrappers.python.chat import takes_tools

pytestmark = pytest.mark.unit


def test_a_template_that_takes_tools_brings_cases(calling_bundle: Path, llm_bundle: Path) -> None:
    assert takes_tools(TOOLS) and not takes_tools(TEMPLATE) and not takes_tools(None)
    cases = json.loads((calling_bundle / CALLS).read_text(encoding="utf-8"))
    assert cases["origin"]["package"] == "bfcl-eval==2026.3.23"
    prompts = [case.pop("prompt") for case in cases["cases"]]
    assert cases["cases"] == function_calls.cases(tools=True)
    for case, prompt in zip(cases["cases"], prompts, strict=True):
        assert case["question"] in prompt and case["tools"][0]["function"]["name"] in prompt
    assert "function_calls" not in json.loads((llm_bundle / PLAN).read_text()) and not (llm_bundle / CALLS).exists()


def test_what_is_no_call() -> None:
    tools = function_calls.cases(tools=True)[0]["tools"]
    assert call_of('{"name": "calculate_triangle_area", "arguments": {"base": 1, "height": 2}}', tools)
    assert call_of('{"name": "calculate_triangle_area", "arguments": {"base": 1}}', tools) is None
    assert call_of("{", tools) is None
