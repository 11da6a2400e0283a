"""check/plan.json and what a runner answers to it: the contract between a bundle, its runtimes, and `edgekit check`.

Every runtime (the Python wrapper, the C++ runner, an app) does the same actions on the same plan and writes
the same outcomes. A runtime measures and never judges: raw samples go out, conclusions are drawn where the report is.
The numbers are MEASURING.md's.
"""

from __future__ import annotations

import math
import re
from typing import Any, Literal

from pydantic import Field, ValidationError

from edgekit.data import Strict
from edgekit.errors import BundleError
from edgekit.model import Kind

PLAN = "check/plan.json"
INPUTS = "check/inputs.npz"
GOLDENS = "check/goldens.npz"
MAX_BYTES = 1 << 20
MAX_NUMBER = 1_000_000  # of tokens, runs and seconds alike: more would never end
CALLS = "check/function_calls.json"
FILE = re.compile(r"check/[A-Za-z0-9_][A-Za-z0-9_.-]*\.npz")


class WarmUp(Strict):
    """Runs are repeated until they are steady."""

    min_runs: int = 3
    min_s: float = 2.0
    window: int = Field(default=5, description="the last runs that are looked at")
    max_cv: float = Field(default=0.05, description="standard deviation over mean of the window")
    max_slope: float = Field(default=0.02, description="rise of a line through the window, over its mean")
    max_s: float = Field(default=30.0, description="not steady by then: the measurement is invalid")


class Trials(Strict):
    """llm: whole answers are repeated until the confidence intervals are narrow."""

    min: int = 10
    max: int = 30
    max_s: float = Field(default=900.0, description="no further trial is begun after this")
    half_width: float = Field(default=0.03, description="half the 95 % confidence interval over the mean")


class Runs(Strict):
    """tensor: single inferences."""

    min: int = 200
    min_s: float = 10.0
    max_s: float = 120.0


class LlmBench(Strict):
    """The workloads of a language model; the first prompt is answered in full, of the others the first token counts."""

    kind: Literal["llm"] = "llm"
    prompts: tuple[int, ...] = Field(default=(128, 512), description="tokens: pp128, pp512")
    depths: tuple[int, ...] = Field(default=(), description="d512: decoding with that many tokens in the context")
    new_tokens: int = Field(default=128, description="tg128; end tokens are forbidden meanwhile")
    warmup: WarmUp = WarmUp()
    trials: Trials = Trials()
    sustain_s: float | None = Field(default=None, description="answer the first prompt for so many seconds instead")


class TensorBench(Strict):
    """The workload of a tensor model: its check inputs, in turn."""

    kind: Literal["tensor"] = "tensor"
    warmup: WarmUp = WarmUp()
    runs: Runs = Runs()
    sustain_s: float | None = Field(
        default=None, description="run for so many seconds instead, summed up by the second"
    )


class LlmRule(Strict):
    """The best token of the last `positions` positions, wherever it led the second by more than `margin` logits."""

    kind: Literal["llm"] = "llm"
    positions: int = 32
    margin: float = 0.5


class Tolerance(Strict):
    """How near an output must be to its golden."""

    cosine_min: float
    length_tolerance: float = Field(description="|length / golden length - 1| at most")


class TensorRule(Strict):
    """The direction and length of every output; int8 kernels differ by CPU, so another family has its own limit."""

    kind: Literal["tensor"] = "tensor"
    same_kernels: Tolerance = Tolerance(cosine_min=0.999, length_tolerance=0.01)
    elsewhere: Tolerance = Tolerance(cosine_min=0.97, length_tolerance=0.1)


class Goldens(Strict):
    """Where the golden outputs lie, and how they are compared."""

    file: str = GOLDENS
    rule: LlmRule | TensorRule = Field(discriminator="kind")


class FunctionCalls(Strict):
    """Golden cases of function calls: each answer must be a call that fits its case's JSON schema."""

    file: str = Field(default=CALLS, description="origin, and cases: id, prompt, tools, schema, expected, ...")
    count: int = Field(default=2, description="of the cases, the first so many are asked on the device")
    new_tokens: int = Field(default=192, description="the longest answer")


class CheckPlan(Strict):
    """check/plan.json. inputs.npz: "token_ids" (llm), or "0.NAME", "1.NAME", ... (tensor: feed and input name)."""

    format: Literal["1.0"] = "1.0"
    kind: Kind
    inputs: str = INPUTS
    goldens: Goldens
    function_calls: FunctionCalls | None = Field(default=None, description="llm whose chat template takes tools")
    bench: LlmBench | TensorBench = Field(discriminator="kind")


class CallsOutcome(Strict):
    """What became of the function calls that were asked; one that is no call is a mismatch of the goldens."""

    asked: int
    parsed: int
    reason: str = Field(description="why some were not asked: an engine without guidance")


class GoldensOutcome(Strict):
    """What `goldens` answers."""

    rule: str = Field(description="the rule in words")
    passed: bool
    compared: int = Field(description="answers the rule looked at")
    worst: float | None = Field(description="the lowest agreement")
    same_kernels: bool
    recorded_on: dict[str, Any]
    mismatches: tuple[str, ...] = Field(description="the first few, in words")
    mismatch_count: int
    function_calls: CallsOutcome | None = Field(default=None, description="None where the plan has none")


class LoadOutcome(Strict):
    """What `load` answers: one start of a process."""

    load_s: float
    page_cache: str = Field(description='"cold" where the files were proven out of the page cache')
    kind: Kind


class BenchOutcome(Strict):
    """What `bench` answers."""

    samples: dict[str, list[float]] = Field(description="raw, by metric, in the order they were taken")
    skipped: dict[str, str] = Field(description="workloads that were not run, and why")
    watch: dict[str, Any] = Field(
        description="conditions by lap: at_s, other_cores, temperature_c, clock_mhz; and seconds"
    )
    warmup: dict[str, Any] | None = Field(description="runs_s, steady, seconds")
    trials: int
    memory: tuple[dict[str, Any], ...] = Field(description="phase and mb (PSS + swap) or null")
    peak_rss_mb: float | None
    variant: str | None = Field(default=None, description="that was chosen; None where an older runtime ran")
    engines: dict[str, str]


def default_plan(kind: Kind) -> CheckPlan:
    """The plan that a bundle carries unless something else is asked for."""
    if kind == "llm":
        return CheckPlan(kind=kind, goldens=Goldens(rule=LlmRule()), bench=LlmBench())
    return CheckPlan(kind=kind, goldens=Goldens(rule=TensorRule()), bench=TensorBench())


def parse(raw: bytes) -> CheckPlan:
    """The plan in these bytes of a bundle's check/plan.json, which anybody may have written.

    Keys of a newer edgekit are ignored, as an app must.

    Raises:
        BundleError: no plan, or one that nobody could carry out: files elsewhere, runs without end.
    """
    try:
        if len(raw) > MAX_BYTES:
            raise _unusable(f"it is larger than {MAX_BYTES >> 20} MiB")
        plan = CheckPlan.model_validate_json(raw, extra="ignore")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _unusable(f"{where or 'the text'}: {first['msg']}") from None
    for name in (plan.inputs, plan.goldens.file):
        if not FILE.fullmatch(name):
            raise _unusable(f"it names the file {name[:80]!r}")
    if plan.function_calls and plan.function_calls.file != CALLS:
        raise _unusable(f"it names the file {plan.function_calls.file[:80]!r}")
    if {plan.kind} != {plan.bench.kind, plan.goldens.rule.kind}:
        raise _unusable("it is for one kind of model in one part and for another in the next")
    _check_numbers(plan.model_dump())
    return plan


def _check_numbers(value: Any, where: str = "") -> None:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    for key, one in inner:
        _check_numbers(one, f"{where}.{key}" if where else str(key))
    if isinstance(value, (int, float)) and not (math.isfinite(value) and 0 <= value <= MAX_NUMBER):
        raise _unusable(f"{where} is {value}")


def _unusable(why: str) -> BundleError:
    plain = "".join(character if character.isprintable() else "?" for character in why)
    return BundleError(f"{PLAN} cannot be used: {plain[:300]}", next="build the bundle again, or fetch it again")
