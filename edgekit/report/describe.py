"""A report in words: what all formats say alike."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.contract.result import Conditions, Report
from edgekit.results import metrics as m
from edgekit.results.measurement import TRUSTED, Measurement, VerdictWord
from edgekit.results.metrics import Headline, Metric

COLUMNS: tuple[Headline, ...] = ("speed", "first token", "memory", "energy")  # what people ask for first
ORDER: tuple[VerdictWord, ...] = ("fail", "invalid", "not-measured", "pass")  # the worst first


def bundle(report: Report) -> str:
    """The bundle's name."""
    return report.bundle.name


def device(report: Report) -> str:
    """What people call the device: its model, else its processor."""
    found = report.device
    return found.model or found.soc or found.cpu or "unknown machine"


def platform(report: Report) -> str:
    """Operating system, ABI and processor, where they are told."""
    found = report.device
    parts = [found.os_version or found.os, found.abi, found.cpu]
    return ", ".join(part for part in parts if part and part != device(report))


def goldens(report: Report) -> str:
    """The golden answers in one line."""
    found = report.goldens
    if not found.compared:
        return "goldens: not measured, none is sure enough to be compared"
    word = "pass" if found.passed else "FAIL"
    kernels = "" if found.same_kernels else "; recorded on another kind of CPU"
    first = f"; {found.mismatches[0]}" if found.mismatches else ""
    return f"goldens: {word}, {found.compared} compared ({found.rule}){kernels}{first}"


def runtime(conditions: Conditions) -> str:
    """A line where code of the bundle was executed; empty where it was not."""
    return "the bundle's own runtime was executed (--trust-bundle-code)" if conditions.runtime == TRUSTED else ""


def outcome(report: Report) -> VerdictWord:
    """One word for a report: the worst of its goldens and verdicts. Without a budget the goldens decide."""
    if not report.goldens.passed:
        return "fail"
    words = {one.verdict for one in report.verdicts} | (set() if report.goldens.compared else {"not-measured"})
    return next((word for word in ORDER if word in words), "pass")


def value(one: Measurement) -> str:
    """ "31.4 tokens/s", or "not measured"."""
    return number(one.metric, one.value)


def number(metric: str, value: float | None) -> str:
    """A value with the unit of its metric."""
    if value is None:
        return "not measured"
    known = m.of(metric)
    if known is not None and known.unit == "share":
        return f"{value:.0%}"
    return f"{value:,.4g} {known.unit if known else ''}".rstrip()


def interval(one: Measurement) -> str:
    """ "30.9 .. 31.9", or nothing."""
    return f"{one.low:,.4g} .. {one.high:,.4g}" if one.low is not None and one.high is not None else ""


def headline(report: Report) -> list[str]:
    """The figures that people ask for first, each with its metric: "decode_tps 31.4 tokens/s"."""
    return [f"{one.metric} {value(one)}" for one in headlines(report)]


def headlines(report: Report) -> list[Measurement]:
    """The measurements that people ask for first: speed, time to first token, memory, energy."""
    return [found for column in COLUMNS if (found := first(report, m.headlines(column))) is not None]


def first(report: Report, choices: Sequence[Metric]) -> Measurement | None:
    """The first measurement of these metrics, of any workload, that has a value."""
    wanted = (one for metric in choices for one in report.measurements if m.of(one.metric) is metric)
    return next((one for one in wanted if one.value is not None), None)
