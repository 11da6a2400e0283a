"""Function calls that a bundle carries; conformance.py has them asked again."""

from __future__ import annotations

import json
import subprocess
import sys
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
    known = function_calls.cases(tools=True)
    assert cases["cases"] == [{key: case[key] for key in case.keys() - {"conversation"}} for case in known]
    for case, prompt in zip(cases["cases"], prompts, strict=True):
        assert case["question"] in prompt and case["tools"][0]["function"]["name"] in prompt
    assert "function_calls" not in json.loads((llm_bundle / PLAN).read_text()) and not (llm_bundle / CALLS).exists()


def test_run_gives_the_template_its_functions_and_keeps_to_a_schema(calling_bundle: Path, tmp_path: Path) -> None:
    case = function_calls.cases(tools=True)[0]
    for name in ("tools", "schema"):
        (tmp_path / f"{name}.json").write_text(json.dumps(case[name]), encoding="utf-8")
    command = [sys.executable, "-m", "edgekit", "run", calling_bundle, case["question"], "--json"]
    ends, answers = [], []
    for more in ([], ["--tools", tmp_path / "tools.json", "--json-schema", tmp_path / "schema.json"]):
        done = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        *pieces, end = (json.loads(line) for line in done.stdout.splitlines())
        answers.append("".join(one["text"] for one in pieces))
        ends.append(end)
    assert ends[1]["prompt_tokens"] > ends[0]["prompt_tokens"] + 50  # the functions' descriptions
    assert ends[1]["reason"] == "eos" and call_of(answers[1], case["tools"]), answers[1]
    assert call_of(answers[0], case["tools"]) is None


def test_what_is_no_call() -> None:
    tools = function_calls.cases(tools=True)[0]["tools"]
    assert call_of('{"name": "calculate_triangle_area", "arguments": {"base": 1, "height": 2}}', tools)
    assert call_of('{"name": "calculate_triangle_area", "arguments": {"base": 1}}', tools) is None
    assert call_of("{", tools) is None
