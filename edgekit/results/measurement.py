"""Measurement and Verdict: what was measured, where, and what may be concluded from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from edgekit.data import Strict
from edgekit.results.metrics import Limit

# Weakest first: an aggregate has the weakest evidence of its parts.
EVIDENCE = ("static", "simulated", "emulated", "host", "device")
Evidence = Literal["static", "simulated", "emulated", "host", "device"]
EnergyUnit = Literal["token", "inference"]
Grade = Literal["A", "B", "C", "D"]
# A: external meter. B: rails, RAPL, EMI. C: fuel gauge, V times I over I2C, a fitted PMIC. D: modelled, no verdict.
TOLERANCE: dict[Grade, float | None] = {"A": 0.02, "B": 0.10, "C": 0.20, "D": None}
VerdictWord = Literal["pass", "fail", "not-measured", "invalid"]

# What is shown of a model on a target, the least first (verdicts/limits.py).
Proof = Literal["built", "ran on CPU", "works"]

TRUSTED = "the bundle's own"  # conditions["runtime"] of a check whose user trusts the bundle's code


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
    limit: Limit
    evidence: Evidence | None = None
    reason: str = ""


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


def weakest(kinds: Iterable[Evidence]) -> Evidence:
    """The evidence of an aggregate: the weakest of its parts."""
    return min(kinds, key=EVIDENCE.index)
