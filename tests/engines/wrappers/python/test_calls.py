"""Functions in prompts, and the function calls that a bundle carries; conformance.py has those asked again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit import plain
from edgekit.contract.check_plan import CALLS, PLAN
from edgekit.inputs import function_calls
from edgekit.wrappers.python.calls import call_of
from edgekit.wrappers.python.chat import takes_tools
from tests.engines.wrappers.conformance_calls import Calls, Prompts, Sampled, with_answers
from tests.engines.wrappers.families import FAMILIES
from tests.engines.wrappers.runtimes import InProcess
from tests.engines.wrappers.small_models import TEMPLATE, TOOLS

pytestmark = pytest.mark.runtimes


@pytest.fixture
def runtime() -> InProcess:
    return InProcess()


class TestPrompts(Prompts):
    pass


class TestSampled(Sampled):
    pass


class TestCalls(Calls):
    pass


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


LAMP = """
import json, sys
call = json.load(sys.stdin)
print(json.dumps({"was": call["arguments"]["on"]}) if sys.argv[1:] == ["a b"] else "")
sys.exit(int(call["arguments"]["on"]))
"""


def test_run_answers_the_calls_with_a_program(calling_bundle: Path, tmp_path: Path) -> None:
    bundle = with_answers(calling_bundle, tmp_path / "bundle", FAMILIES["qwen"], calls="hermes")
    (tmp_path / "tools.json").write_text(json.dumps([Calls.TOOL]), encoding="utf-8")
    (tmp_path / "lamp.py").write_text(LAMP, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "edgekit",
        "run",
        bundle,
        "On?",
        "--tools",
        tmp_path / "tools.json",
        "--max-tokens",
        "300",
    ]
    program = f"{sys.executable} {tmp_path / 'lamp.py'} 'a b'"
    done = subprocess.run(
        [*command, "--tool-choice", "required", "--call", program, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    called = [event for event in events if event["event"] == "call"]
    said = [event["text"] for event in events if event["event"] == "result"]
    assert called and called[0]["name"] == "lamp"
    failed = '{"error": "it ended with 1: it said nothing"}'
    assert said[0] == (failed if called[0]["arguments"]["on"] else '{"was": false}')
    ends = [event for event in events if event["event"] == "end"]
    assert len(ends) > 1 and ends[1]["prompt_tokens"] > ends[0]["prompt_tokens"] + 20
    shown = subprocess.run([*command, "--tool-choice", "required"], capture_output=True, text=True, check=False)
    assert json.loads(shown.stdout.splitlines()[0])["name"] == "lamp"
    for words, why in (
        (["--call", "no-such-program"], "no program"),
        (["--call", "'"], "cannot be read"),
        (["--no-think"], "no way"),
    ):
        wrong = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
        assert wrong.returncode == 2 and why in wrong.stderr


def test_a_thought_is_dimmed_beside_the_answer(llm_bundle: Path, tmp_path: Path) -> None:
    text = "".join(event["text"] for event in InProcess().act("generate", llm_bundle, **Sampled.REQUEST).events)
    bundle = with_answers(llm_bundle, tmp_path / "bundle", thinking={"begin": text[2:4], "end": text[7:9]})
    command = [sys.executable, "-m", "edgekit", "run", bundle, Sampled.REQUEST["prompt"], "--raw", "--max-tokens", "24"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    thought = plain.Answer().piece(text[4:7])
    assert shown.stdout.startswith(text[:2]) and thought not in shown.stdout and shown.stderr.startswith(thought)
    lines = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False).stdout.splitlines()
    assert {"piece", "thought", "end"} == {json.loads(line)["event"] for line in lines}


def test_what_is_no_call() -> None:
    tools = function_calls.cases(tools=True)[0]["tools"]
    assert call_of('{"name": "calculate_triangle_area", "arguments": {"base": 1, "height": 2}}', tools)
    assert call_of('{"name": "calculate_triangle_area", "arguments": {"base": 1}}', tools) is None
    assert call_of("{", tools) is None
