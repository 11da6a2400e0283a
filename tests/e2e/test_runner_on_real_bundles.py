"""edgekit-runner on real bundles: it answers as their goldens say, and generates what the Python runtime generates."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from edgekit.contract.check_plan import GoldensOutcome
from edgekit.tools import QUIET_ENGINES

pytestmark = pytest.mark.tools


def run(argv: Sequence[str | Path], folder: Path, action: str, bundle: Path, **request: Any) -> tuple[Any, list[Any]]:
    """The outcome and the events of an action."""
    plan = json.loads((bundle / "check/plan.json").read_text(encoding="utf-8"))
    path = folder / "request.json"
    path.write_text(json.dumps({"action": action, "bundle": str(bundle), "plan": plan, **request}), encoding="utf-8")
    done = subprocess.run(
        [*argv, path], env={**os.environ, **QUIET_ENGINES}, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return json.loads((folder / "outcome.json").read_text(encoding="utf-8")), events


@pytest.mark.parametrize(
    "name", ["smollm2-135m-instruct", "ppocrv4-det", "ppocrv4-rec", "silero-vad", "swift-f0", "all-minilm-l6-v2"]
)
def test_goldens(runner: Path, catalogue_bundle: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    outcome, _ = run([runner], tmp_path, "goldens", catalogue_bundle(name))
    found = GoldensOutcome.model_validate(outcome["goldens"])
    assert found.passed and found.compared and found.same_kernels, found.mismatches


def test_the_same_text(runner: Path, catalogue_bundle: Callable[[str], Path], tmp_path: Path) -> None:
    bundle = catalogue_bundle("smollm2-135m-instruct")
    question = [{"role": "user", "content": "Say three colours, with an emoji for each: 🎨"}]
    request = {"messages": question, "max_tokens": 48, "temperature": 0.0, "top_p": 1.0}
    said = []
    for argv in ([runner], [sys.executable, "-m", "edgekit.wrappers.python"]):
        outcome, events = run(argv, tmp_path, "generate", bundle, **request)
        said.append(("".join(one["text"] for one in events), outcome["reason"], outcome["prompt_tokens"]))
    assert said[0] == said[1] and said[0][0]


def test_answers_that_fit_a_schema(runner: Path, catalogue_bundle: Callable[[str], Path], tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}, "required": ["colour"]}
    schema["additionalProperties"] = False
    request = {"messages": [{"role": "user", "content": "A colour?"}], "max_tokens": 40, "temperature": 0.0}
    bundle = catalogue_bundle("smollm2-135m-instruct")
    outcome, events = run([runner], tmp_path, "generate", bundle, top_p=1.0, json_schema=schema, **request)
    assert outcome["reason"] == "eos"
    assert json.loads("".join(one["text"] for one in events))["colour"] in ("red", "blue")
