"""The runtimes under test behind one call: a request goes in, an outcome or a refusal comes out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from edgekit.contract.check_plan import CheckPlan
from edgekit.kinds import Runs, Trials, WarmUp
from edgekit.kinds.llm import LlmBench
from edgekit.kinds.tensor import TensorBench
from edgekit.tools import QUIET_ENGINES
from edgekit.wrappers.python.__main__ import act
from edgekit.wrappers.python.manifest import Refused

QUICK = WarmUp(min_runs=1, min_s=0, window=2, max_cv=10, max_slope=10, max_s=1)


@dataclass(frozen=True)
class Result:
    """What a runtime answered; `error` is {} or has code, message, next, and axis where one is to blame."""

    outcome: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def error(self) -> dict[str, str]:
        return dict(self.outcome.get("error", {}))


class Runtime(Protocol):
    def act(self, action: str, bundle: Path, **request: Any) -> Result:
        """Do one action; every request of a bundle that has a plan carries it, as edgekit's do."""


class InProcess:
    """The Python runtime, called as its own main calls it."""

    def act(self, action: str, bundle: Path, **request: Any) -> Result:
        events: list[dict[str, Any]] = []

        def emit(kind: str, **fields: Any) -> None:
            events.append({"event": kind, **fields})

        try:
            return Result(act(full(action, bundle, request), emit), events)
        except Refused as error:
            told = {"code": error.code, "message": error.message, "next": error.next}
            return Result({"error": told | ({"axis": error.axis} if error.axis else {})}, events)


@dataclass(frozen=True)
class Program:
    """A runtime that is a program: a process for each action."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)

    def act(self, action: str, bundle: Path, **request: Any) -> Result:
        with tempfile.TemporaryDirectory() as folder:
            done = self.start(Path(folder), full(action, bundle, request))
            stdout, stderr = done.communicate(timeout=300)
            outcome = Path(folder) / "outcome.json"
            assert outcome.is_file(), f"no outcome, exit {done.returncode}: {stderr}"
            found = json.loads(outcome.read_text(encoding="utf-8"))
            assert done.returncode == (1 if "error" in found else 0)
            return Result(found, [json.loads(line) for line in stdout.splitlines()])

    def start(self, folder: Path, request: dict[str, Any]) -> subprocess.Popen[str]:
        """The process of a request; its outcome comes into `folder`."""
        path = folder / "request.json"
        path.write_text(json.dumps(request), encoding="utf-8")
        return subprocess.Popen(
            [*self.argv, str(path)],
            env={**os.environ, **QUIET_ENGINES, **self.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


PYTHON = Program((sys.executable, "-m", "edgekit.wrappers.python"))


def full(action: str, bundle: Path, request: dict[str, Any]) -> dict[str, Any]:
    """A request as edgekit makes it."""
    path = bundle / "check/plan.json"
    plan = {"plan": json.loads(path.read_text(encoding="utf-8"))} if path.is_file() else {}
    return {"action": action, "bundle": str(bundle), "threads": None, "variant": None, **plan, **request}


def plan_of(bundle: Path) -> CheckPlan:
    return CheckPlan.model_validate_json((bundle / "check/plan.json").read_bytes())


def quick_plan(bundle: Path, **bench: Any) -> dict[str, Any]:
    """The bundle's plan with a bench of about a second."""
    plan = plan_of(bundle)
    shorter = (
        LlmBench(warmup=QUICK, **{"prompts": (20, 40), "new_tokens": 9, "trials": Trials(min=2, max=2), **bench})
        if plan.kind == "llm"
        else TensorBench(warmup=QUICK, **{"runs": Runs(min=12, min_s=0, max_s=10), **bench})
    )
    return plan.model_copy(update={"bench": shorter}).model_dump(mode="json")
