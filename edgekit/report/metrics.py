"""The metrics of a check by name: unit, which way is better, what it is. docs/metrics.md is tested against this."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from edgekit.data import nearest
from edgekit.errors import UsageError
from edgekit.target import Budget


@dataclass(frozen=True)
class Metric:
    """A quantity that a check measures.

    Attributes:
        gated_evidence: True for latency, memory and power, which only a real device (or this machine for its own
            bundles) may claim.
    """

    unit: str
    better: Literal["lower", "higher"]
    what: str
    gated_evidence: bool = True


METRICS = {
    "load_first_s": Metric("s", "lower", "first start: from the folder to a model that is ready"),
    "load_warm_s": Metric("s", "lower", "median of the later starts"),
    "ttft_ms": Metric("ms", "lower", "request to first token, tokenization included"),
    "prefill_tps": Metric("tokens/s", "higher", "prompt tokens read"),
    "decode_tps": Metric("tokens/s", "higher", "tokens generated after the first"),
    "itl_p50_ms": Metric("ms", "lower", "median time between tokens"),
    "itl_p90_ms": Metric("ms", "lower", "90th percentile of the time between tokens"),
    "itl_p99_ms": Metric("ms", "lower", "99th percentile of the time between tokens"),
    "latency_p50_ms": Metric("ms", "lower", "median time of one inference"),
    "latency_p90_ms": Metric("ms", "lower", "90th percentile of the time of one inference"),
    "latency_p99_ms": Metric("ms", "lower", "99th percentile of the time of one inference"),
    "throughput_ips": Metric("inferences/s", "higher", "inferences one after the other, under --sustain"),
    "throttle_after_s": Metric("s", "higher", "time until the speed falls, under --sustain; else the whole time"),
    "peak_footprint_mb": Metric("MB", "lower", "largest memory that is the process's own (PSS + swap on Linux)"),
    "peak_rss_mb": Metric("MB", "lower", "largest resident set, shared pages counted whole"),
    "bundle_mb": Metric("MB", "lower", "size of the bundle on disk", gated_evidence=False),
    "ep_share": Metric(
        "share", "higher", "work that the bundle's execution provider takes, 0 to 1", gated_evidence=False
    ),
    "power_avg_w": Metric("W", "lower", "average power above idle"),
    "energy_j_per_token": Metric("J", "lower", "energy of one generated token above idle"),
    "energy_j_per_1k_tokens": Metric("J", "lower", "energy of 1,000 generated tokens above idle, under --sustain"),
    "energy_j_per_inference": Metric("J", "lower", "energy of one inference above idle"),
    "temperature_max_c": Metric("C", "lower", "hottest sensor during the run"),
}


def of(name: str) -> Metric | None:
    """The metric of a name such as "ttft_ms@pp512"."""
    return METRICS.get(name.partition("@")[0])


def parse_budgets(words: Iterable[str]) -> dict[str, Budget]:
    """Budgets from the command line: "METRIC[@WORKLOAD]:min=X", ":max=X", or both with a comma.

    Raises:
        UsageError: not of this form, or no such metric (the nearest is suggested).
    """
    found: dict[str, Budget] = {}
    for word in words:
        name, _, bounds = word.partition(":")
        require(name)
        try:
            values = {key: float(value) for key, _, value in (part.partition("=") for part in bounds.split(","))}
            found[name] = Budget.model_validate(values)
        except ValueError:
            raise UsageError(
                f"{word!r} is not a budget", next="write METRIC:min=20 or METRIC:max=900, as decode_tps:min=20"
            ) from None
    return found


def require(name: str) -> Metric:
    """The metric of this name; UsageError with the nearest where there is none."""
    metric = of(name)
    if metric is None:
        stem = name.partition("@")[0]
        raise UsageError(f"no metric {stem!r}{nearest(stem, METRICS)}", next=f"one of: {', '.join(METRICS)}")
    return metric
