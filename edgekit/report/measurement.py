"""Measurement, Verdict and Report: what was measured, where, and what may be concluded from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from edgekit.data import Strict
from edgekit.target import Budget

# Weakest first: an aggregate has the weakest evidence of its parts.
EVIDENCE = ("static", "simulated", "emulated", "host", "device")
Evidence = Literal["static", "simulated", "emulated", "host", "device"]
EnergyUnit = Literal["token", "inference"]
VerdictWord = Literal["pass", "fail", "not-measured", "invalid"]


class Measurement(Strict):
    """One number. The unit is in the metric's name (see docs/metrics.md); None means not measured, with the reason."""

    metric: str = Field(description='a name such as "decode_tps" or "ttft_ms@pp512"')
    value: float | None = None
    evidence: Evidence
    n: int = Field(default=0, description="samples behind the value")
    low: float | None = Field(default=None, description="lower end of the 95 % confidence interval")
    high: float | None = Field(default=None, description="upper end of the 95 % confidence interval")
    valid: bool = True
    reason: str = Field(default="", description="why it is missing or invalid")


class Verdict(Strict):
    """What a limit says about a measurement."""

    metric: str
    verdict: VerdictWord
    value: float | None = None
    limit: Budget
    evidence: Evidence | None = None
    reason: str = ""


class Process(Strict):
    """One process of the bench: what it measured by itself, and the conditions it met."""

    values: dict[str, float] = Field(description="by metric")
    counts: dict[str, int] = Field(description="how many of the report's raw samples are its, in the same order")
    trials: int
    warmup: dict[str, Any] | None = None
    watch: dict[str, Any] = Field(default={}, description="by lap: at_s, other_cores, temperature_c, clock_mhz")
    memory: tuple[dict[str, Any], ...] = Field(default=(), description="phase and mb")


class EnergyRun(Strict):
    """One sustained run under a meter, with the device idle before and after it."""

    meter: str = Field(description="the sensor's name")
    scope: str = Field(description="what its figure covers")
    grade: Literal["A", "B", "C", "D", ""] = Field(description="how far it may be trusted, see docs/metrics.md")
    tolerance: float | None = Field(default=None, description="share by which it may be off; None allows no verdict")
    gross_j: float | None = None
    net_j: float | None = Field(default=None, description="above idle")
    seconds: float = Field(default=0.0, description="in which the work below was done")
    idle_w: tuple[float, ...] = Field(default=(), description="before and after")
    unit: EnergyUnit
    work: float = Field(default=0.0, description="tokens or inferences")
    samples: tuple[tuple[float, float], ...] = Field(default=(), description="seconds and watts, idle included")
    parts: dict[str, float] = Field(default={}, description="joules by rail or domain")
    invalid: tuple[str, ...] = ()
    missing: str = Field(default="", description="why there is no figure")
    next: str = ""


class Report(Strict):
    """One check of one bundle on one device: conditions, numbers, verdicts. Written as result.json."""

    format: Literal["1.0"] = "1.0"
    bundle: dict[str, Any]
    device: dict[str, Any]
    tools: dict[str, str]
    conditions: dict[str, Any] = {}
    goldens: dict[str, Any]
    measurements: tuple[Measurement, ...]
    verdicts: tuple[Verdict, ...]
    energy: EnergyRun | None = None
    processes: tuple[Process, ...] = Field(default=(), description="in their order; a baseline is made of these")
    raw: dict[str, list[float]] = Field(default={}, description="raw samples by metric, in the order they were taken")
    exit_code: int


def weakest(kinds: Iterable[Evidence]) -> Evidence:
    """The evidence of an aggregate: the weakest of its parts."""
    return min(kinds, key=EVIDENCE.index)


def judge(measurement: Measurement | None, metric: str, limit: Budget) -> Verdict:
    """A limit applied to a measurement. Not measured is never a pass; an invalid measurement is no verdict on speed."""
    if measurement is None or measurement.value is None:
        reason = measurement.reason if measurement else "nothing measured it"
        return Verdict(metric=metric, verdict="not-measured", limit=limit, reason=reason)
    facts: dict[str, Any] = {
        "metric": metric,
        "value": measurement.value,
        "limit": limit,
        "evidence": measurement.evidence,
    }
    if not measurement.valid:
        return Verdict(verdict="invalid", reason=measurement.reason, **facts)
    if limit.min is not None and measurement.value < limit.min:
        return Verdict(verdict="fail", reason=f"below the limit of {limit.min:g}", **facts)
    if limit.max is not None and measurement.value > limit.max:
        return Verdict(verdict="fail", reason=f"above the limit of {limit.max:g}", **facts)
    return Verdict(verdict="pass", **facts)
