"""The check data of a bundle, recorded from the staged bundle itself: what is fed to it, and what it answered."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from edgekit import console, tools
from edgekit.bundle import aside
from edgekit.bundle.manifest import Manifest
from edgekit.bundle.runtime import command, foreign
from edgekit.bundle.stage import write
from edgekit.data import jsonable, pretty
from edgekit.errors import BuildError
from edgekit.inputs import function_calls
from edgekit.inputs.calibration import Feed
from edgekit.report.check_plan import PLAN, CheckPlan, FunctionCalls, default_plan
from edgekit.wrappers.python import npz
from edgekit.wrappers.python.chat import takes_tools, template_of

MAX_FEEDS = 8
MAX_BYTES = 8 * 2**20  # of all feeds together; the first is kept whatever its size
TOKENS = 160  # of a language model's check text: 32 of them are compared
TIMEOUT = 1800.0  # seconds


def write_check(staged: Path, manifest: Manifest, feeds: Sequence[Feed] | None) -> CheckPlan | None:
    """Write check/plan.json, inputs.npz and goldens.npz into a staged bundle; function_calls.json too, for tools.

    Args:
        manifest: the draft that the staged edgekit.json holds.
        feeds: inputs of a tensor model, the first few are taken; a language model reads a text that ships with edgekit.

    Returns: the plan; None, and nothing written, for a tensor model without inputs.

    Raises:
        BuildError: the staged bundle cannot answer.
    """
    kind = manifest.contract.kind
    if kind == "tensor" and not feeds:
        return None
    plan = default_plan(kind)
    if kind == "llm" and takes_tools(template_of(staged / manifest.variants[0].path)):
        plan = plan.model_copy(update={"function_calls": FunctionCalls()})
    with aside.writing("recording the check data", otherwise=BuildError):
        (staged / plan.inputs).parent.mkdir()
        arrays = _tokens(staged, manifest) if kind == "llm" else _named(feeds or ())
        npz.write(staged / plan.inputs, arrays)
        write(staged / PLAN, pretty(jsonable(plan)))
        if plan.function_calls is not None:
            write(staged / plan.function_calls.file, pretty(_function_calls(staged, manifest)))
    request = {"action": "record", "plan": jsonable(plan), "goldens": str(staged / plan.goldens.file)}
    answered = _run(staged, manifest, request)
    if not answered["recorded"]:
        console.warn("no answer of the model is sure enough to be a golden: a check will say not measured")
    return plan


def _tokens(staged: Path, manifest: Manifest) -> npz.Arrays:
    """The token ids of the check text, by the bundle's own tokenizer, and no more than it can read."""
    import numpy as np

    text = (files("edgekit.bundle") / "check_text.txt").read_text(encoding="utf-8")
    ids = _run(staged, manifest, {"action": "encode", "text": text})["ids"]
    room = getattr(manifest.contract, "max_length", TOKENS) - 1
    return {"token_ids": np.array(ids[: min(TOKENS, room)], dtype=np.int64)}


def _function_calls(staged: Path, manifest: Manifest) -> dict[str, Any]:
    """The cases, each with its prompt as the bundle's template writes it: a runtime in C++ need not render tools."""
    cases = function_calls.cases(tools=True)
    asked = [case["conversation"] for case in cases]
    prompts = _run(staged, manifest, {"action": "render", "conversations": asked})["prompts"]
    for case, prompt in zip(cases, prompts, strict=True):
        del case["conversation"]  # the prompt says it, as this bundle's template writes it
        case["prompt"] = prompt
    return {"origin": function_calls.origin(), "cases": cases}


def _named(feeds: Sequence[Feed]) -> npz.Arrays:
    """{"0.x": ..., "1.x": ...}: a first few feeds, of MAX_BYTES at most."""
    arrays: npz.Arrays = {}
    room = math.inf
    for at, feed in enumerate(feeds[:MAX_FEEDS]):
        size = sum(array.nbytes for array in feed.values())
        if size > room:
            break
        room = (MAX_BYTES if at == 0 else room) - size
        arrays |= {f"{at}.{name}": array for name, array in feed.items()}
    return arrays


def _run(staged: Path, manifest: Manifest, request: dict[str, Any]) -> dict[str, Any]:
    how = command(staged, manifest, trust=False)
    full = {"bundle": str(staged), "foreign": foreign(manifest), **request}
    with tempfile.TemporaryDirectory() as folder:
        return tools.job(how.argv, full, Path(folder), timeout=TIMEOUT, what="the staged bundle", env=how.env)
