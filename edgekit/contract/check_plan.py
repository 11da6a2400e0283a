"""check/plan.json and what a runner answers to it: the contract between a bundle, its runtimes, and `edgekit check`.

Every runtime (the Python wrapper, the C++ runner, an app) does the same actions on the same plan and writes
the same outcomes. A runtime measures and never judges: raw samples go out, conclusions are drawn where the report is.
The numbers are MEASURING.md's.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from edgekit import kinds
from edgekit.data import Strict, first_fault
from edgekit.errors import BundleError
from edgekit.kinds import Bench, Rule
from edgekit.model import Kind
from edgekit.wrappers.python import strict

PLAN = "check/plan.json"
INPUTS = "check/inputs.npz"
GOLDENS = "check/goldens.npz"
MAX_BYTES = 1 << 20
MAX_NUMBER = 1_000_000  # of tokens, runs and seconds alike: more would never end
CALLS = "check/function_calls.json"
FILE = re.compile(r"check/[A-Za-z0-9_][A-Za-z0-9_.-]*\.npz")


class Goldens(Strict):
    """Where the golden outputs lie, and how they are compared."""

    file: str = GOLDENS
    rule: Annotated[Rule, kinds.union("rule")]


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
    bench: Annotated[Bench, kinds.union("bench")]

    def running(self, bench: Bench) -> CheckPlan:
        """The same plan with another workload."""
        return self.model_copy(update={"bench": bench})


class Machine(Strict):
    """What tells one machine from another; None where it is not told."""

    model: str | None = None
    cpu: str | None = None
    soc: str | None = None
    cores: int | None = None
    ram_mb: int | None = None
    os: str | None = None
    os_version: str | None = None
    abi: str | None = None


class Identity(Machine):
    """What `identify` answers: the machine, and how it is doing."""

    kernel: str | None = Field(default=None, description="of the operating system")
    governor: str | None = Field(default=None, description="that sets the CPU's clocks")
    hypervisor: bool | None = None
    kernels: str | None = Field(default=None, description="the family of CPU kernels that runs there")
    temperature_c: float | None = None
    thermal_state: str | None = Field(default=None, description="of Apple's systems, which tell no temperature")
    load_1m: float | None = None


class Watch(Strict):
    """Conditions during a bench, by lap; None where one cannot be read. Empty where nothing was run."""

    seconds: float | None = None
    at_s: tuple[float, ...] = Field(default=(), description="the start, which is 0, and the end of each lap")
    other_cores_mean: float | None = None
    other_cores: tuple[float | None, ...] = Field(default=(), description="cores' worth of work by other processes")
    temperature_c: tuple[float | None, ...] = Field(default=(), description="at the start and by lap")
    clock_mhz: tuple[float | None, ...] = Field(default=(), description="at the start and by lap")


class WarmedUp(Strict):
    """How warming up went."""

    runs_s: tuple[float, ...]
    steady: bool
    seconds: float


class Phase(Strict):
    """The memory of the process at one point."""

    phase: str
    mb: float | None = Field(default=None, description="PSS + swap; None where it is not told")


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
    worst: float | None = Field(default=None, description="the lowest agreement; None where nothing was compared")
    same_kernels: bool
    recorded_on: dict[str, str] = Field(description="ep and kernels")
    mismatches: tuple[str, ...] = Field(description="the first few, in words")
    mismatch_count: int
    function_calls: CallsOutcome | None = Field(default=None, description="None where the plan has none")


class GoldensAnswer(Strict):
    """All that `goldens` answers."""

    goldens: GoldensOutcome
    engines: dict[str, str]


class LoadOutcome(Strict):
    """What `load` answers: one start of a process."""

    load_s: float
    page_cache: str = Field(description='"cold" where the files were proven out of the page cache')
    kind: Kind


class BenchOutcome(Strict):
    """What `bench` answers."""

    samples: dict[str, list[float]] = Field(description="raw, by metric, in the order they were taken")
    skipped: dict[str, str] = Field(description="workloads that were not run, and why")
    watch: Watch
    warmup: WarmedUp | None
    trials: int
    memory: tuple[Phase, ...]
    peak_rss_mb: float | None
    variant: str | None = Field(default=None, description="that was chosen; None where an older runtime ran")
    engines: dict[str, str]


def default_plan(kind: Kind) -> CheckPlan:
    """The plan that a bundle carries unless something else is asked for."""
    its = kinds.of(kind)
    return CheckPlan(kind=kind, goldens=Goldens(rule=its.rule), bench=its.bench)


def parse(raw: bytes) -> CheckPlan:
    """The plan in these bytes of a bundle's check/plan.json, which anybody may have written.

    Keys of a newer edgekit are ignored, as an app must.

    Raises:
        BundleError: no plan, or one that nobody could carry out: files elsewhere, runs without end.
    """
    try:
        strict.loads(raw, names=True, max_bytes=MAX_BYTES)  # so that what the next line reads has one meaning
        plan = CheckPlan.model_validate_json(raw, extra="ignore")
    except ValidationError as error:
        where, message, _ = first_fault(error)
        raise _unusable(f"{where or 'the text'}: {message}") from None
    except ValueError as error:
        raise _unusable(str(error)) from None
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
