"""The plan of a bundle, shaped by what the user asks for: other prompts and depths, a long run, a quick look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.errors import UsageError
from edgekit.report.check_plan import CheckPlan, LlmBench, Runs, Trials, WarmUp

MAX_SUSTAIN_S = 24 * 3600.0
AB_WARMUP = WarmUp(min_s=1.0, max_s=10.0)
AB_RUNS = Runs(min=50, min_s=1.0, max_s=5.0)
AB_TRIALS = Trials(min=2, max=2)


def asked(plan: CheckPlan, prompts: Sequence[int] = (), depths: Sequence[int] = ()) -> CheckPlan:
    """The plan with other prompt lengths and depths, in tokens.

    Raises:
        UsageError: the model takes no prompts, or a prompt is empty.
    """
    changed = {name: tuple(values) for name, values in (("prompts", prompts), ("depths", depths)) if values}
    if changed and plan.bench.kind != "llm":
        raise UsageError("--prompts and --depths are for language models", next="leave them out")
    if 0 in changed.get("prompts", ()):
        raise UsageError("a prompt has one token at least", next="write --prompts 128,512")
    return _with(plan, changed)


def quick(plan: CheckPlan) -> CheckPlan:
    """A plan that shows that everything works, and whose timings are marked invalid."""
    warmup = WarmUp(min_runs=1, min_s=0, window=2, max_cv=10, max_slope=10, max_s=1)
    if isinstance(plan.bench, LlmBench):
        prompts = tuple(min(count, 32) for count in plan.bench.prompts)[:1]
        few = {"prompts": prompts, "depths": plan.bench.depths, "new_tokens": 8, "trials": Trials(min=1, max=1)}
        return _with(plan, {"warmup": warmup, **few})
    return _with(plan, {"warmup": warmup, "runs": Runs(min=5, min_s=0, max_s=10)})


def sustained(plan: CheckPlan, seconds: float) -> CheckPlan:
    """The plan's main workload for so many seconds."""
    only = {"prompts": plan.bench.prompts[:1], "depths": ()} if isinstance(plan.bench, LlmBench) else {}
    return _with(plan, {"sustain_s": float(seconds), **only})


def turn(plan: CheckPlan) -> CheckPlan:
    """The plan of one process of an A/B: short, for there are dozens of them."""
    some = {"trials": AB_TRIALS} if plan.bench.kind == "llm" else {"runs": AB_RUNS}
    return _with(plan, {"warmup": AB_WARMUP, **some})


def words(plan: CheckPlan) -> str:
    """What is run, in words that two results of the same workload share."""
    bench = plan.bench
    if not isinstance(bench, LlmBench):
        return "inferences, one after the other"
    named = [f"pp{count}" for count in bench.prompts] + [f"d{count}" for count in bench.depths if count]
    return f"{' '.join(named)} tg{bench.new_tokens}"


def _with(plan: CheckPlan, changed: dict[str, Any]) -> CheckPlan:
    return plan.model_copy(update={"bench": plan.bench.model_copy(update=changed)})
