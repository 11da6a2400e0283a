"""result.json: one check of one bundle on one device, with all that it was made of."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edgekit.contract.check_plan import GoldensOutcome, Identity, Machine, Phase, WarmedUp, Watch
from edgekit.contract.manifest import Quality
from edgekit.data import Strict
from edgekit.model import Kind
from edgekit.results.measurement import EnergyRun, Evidence, Measurement, Proof, Verdict
from edgekit.results.partition import Partition


class BundleFacts(Strict):
    """Which bundle it was."""

    name: str
    sha256: str = Field(description="of its manifest")
    kind: Kind
    model: str
    target: str
    recipe: str


class CheckedBundle(BundleFacts):
    """The bundle of a check, with what its build found."""

    model_digest: str = Field(description="of the model's files: bundles of one digest are one model")
    quality: Quality
    partition: dict[str, Partition] = Field(default={}, description="by variant")


class DeviceFacts(Identity):
    """Where it ran, and what a measurement there is worth."""

    evidence: Evidence


class KnownDevice(Machine):
    """What tells one device from another."""

    evidence: Evidence


class Setting(Strict):
    """What was asked of the runtime; results under other settings cannot be compared."""

    workload: str = Field(description='such as "pp128 pp512 tg128"')
    threads: int | None = Field(default=None, description="None: the engine's choice")
    variant: str | None = None
    run_context: str = Field(description="where the runtime ran: a shell")
    sustain_s: float | None = Field(default=None, description="of a sustained run: seconds that were asked for")


class Course(Strict):
    """What happened to temperature and clocks during a run, as the device's own sensors told it."""

    at_s: tuple[float, ...] = Field(description="since the first sample; the other lists have the same length")
    hottest_c: tuple[float | None, ...]
    clock_mhz: tuple[float | None, ...]
    status: tuple[int | None, ...] = Field(description="Android's thermal status")
    why_throttled: tuple[str, ...] = Field(default=(), description="the signs of throttling; empty without any")


class Conditions(Setting):
    """Under which conditions it ran."""

    started: str = Field(description="UTC")
    runtime: str = Field(description="whose runtime ran it, in words")
    strict: bool = False
    waited_s: float | None = Field(default=None, description="until the device was cool enough")
    before: tuple[str, ...] = Field(default=(), description="what should have been otherwise before it began")
    thermal: Course | None = Field(default=None, description="None where nothing could be watched")
    invalid: tuple[str, ...] = Field(default=(), description="why its timing may not be believed; empty where it may")


class Process(Strict):
    """One process of the bench: what it measured by itself, and the conditions it met."""

    values: dict[str, float] = Field(description="by metric")
    counts: dict[str, int] = Field(description="how many of the report's raw samples are its, in the same order")
    trials: int
    warmup: WarmedUp | None = None
    watch: Watch = Watch()
    memory: tuple[Phase, ...] = ()


class Report(Strict):
    """One check of one bundle on one device: conditions, numbers, verdicts. Written as result.json."""

    format: Literal["1.0"] = "1.0"
    bundle: CheckedBundle
    device: DeviceFacts
    tools: dict[str, str]
    conditions: Conditions
    goldens: GoldensOutcome
    proof: Proof = Field(default="built", description="what the goldens show of the model on the target")
    measurements: tuple[Measurement, ...]
    verdicts: tuple[Verdict, ...]
    energy: EnergyRun | None = None
    processes: tuple[Process, ...] = Field(default=(), description="in their order; a baseline is made of these")
    raw: dict[str, list[float]] = Field(default={}, description="raw samples by metric, in the order they were taken")
    exit_code: int
