"""Function calls that a bundle carries, asked again where it runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runtimes import InProcess
from small_bundles import copy, seal_llm
from small_models import TEMPLATE

from edgekit.inputs import function_calls
from edgekit.report.check_plan import CALLS, PLAN
from edgekit.wrappers.python.calls import call_of
from edgekit.wrappers.python.chat import takes_tools

pytestmark = pytest.mark.unit
TOOLS = "{% if tools %}{{ tools | tojson }}{% endif %}" + TEMPLATE


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seal_llm(tmp_path_factory.mktemp("caller"), template=TOOLS, max_length=4096)


def test_a_template_that_takes_tools_brings_cases(caller: Path, llm_bundle: Path) -> None:
    assert takes_tools(TOOLS) and not takes_tools(TEMPLATE) and not takes_tools(None)
    cases = json.loads((caller / CALLS).read_text(encoding="utf-8"))
    assert cases["origin"]["package"] == "bfcl-eval==2026.3.23"
    assert cases["cases"] == function_calls.cases(tools=True)
    assert "function_calls" not in json.loads((llm_bundle / PLAN).read_text()) and not (llm_bundle / CALLS).exists()


def test_a_check_asks_them_and_every_answer_is_a_call(caller: Path) -> None:
    found = InProcess().act("goldens", caller).outcome["goldens"]
    assert found["passed"], found["mismatches"]
    assert found["function_calls"] == {"asked": 2, "parsed": 2, "reason": ""}


def test_an_answer_that_is_no_call_is_a_mismatch(caller: Path, tmp_path: Path) -> None:
    broken = copy(caller, tmp_path / "broken")
    cases = json.loads((broken / CALLS).read_text(encoding="utf-8"))
    cases["cases"][0]["schema"] = {"type": "object", "properties": {}, "additionalProperties": False}
    (broken / CALLS).write_text(json.dumps(cases), encoding="utf-8")
    found = InProcess().act("goldens", broken).outcome["goldens"]
    assert not found["passed"] and found["function_calls"]["parsed"] == 1
    assert found["mismatches"][0].startswith("function call simple_python_0: no call in '{")


def test_what_is_no_call() -> None:
    tools = function_calls.cases(tools=True)[0]["tools"]
    assert call_of('{"name": "calculate_triangle_area", "arguments": {"base": 1, "height": 2}}', tools)
    assert call_of('{"name": "calculate_triangle_area", "arguments": {"base": 1}}', tools) is None
    assert call_of("{", tools) is None
