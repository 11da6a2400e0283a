"""Baselines: what a bundle did on a device before, and whether a new result is worse by more than noise.

The unit is the process. A metric has regressed only if the whole 95 % confidence interval of the new result lies beyond
the limit and one rerun says the same. The limit is three times the spread (MAD) between the baseline's processes, and
never less than what such a metric is known to vary by.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from edgekit import __version__
from edgekit.contract.result import BundleFacts, KnownDevice, Report, Setting
from edgekit.data import Strict, part
from edgekit.errors import NotMeasured
from edgekit.results import metrics as m
from edgekit.results.measurement import Evidence
from edgekit.verdicts.summary import interval, rounded
from edgekit.wrappers.python.steady import t95

MIN_PROCESSES = 5
MADS = 3.0
FLOOR = {"host": 0.03, "device": 0.07}  # the least limit, of metrics that have none of their own
SAME_BUNDLE = ("model", "kind", "target")
SAME_DEVICE = ("model", "cpu", "soc", "cores", "os", "os_version", "abi", "evidence")
SAME_CONDITIONS = ("workload", "threads", "variant", "run_context", "sustain_s")
RAM_SHARE = 0.02  # the system keeps a little more or less of it for itself
SOME = "run: edgekit check BUNDLE --processes 5"

Word = Literal["pass", "fail", "inconclusive", "better"]


class Baseline(Strict):
    """Written by `edgekit baseline save`: processes of one bundle on one device under the same conditions."""

    format: Literal["1.0"] = "1.0"
    edgekit: str
    evidence: Evidence
    bundle: BundleFacts
    device: KnownDevice
    conditions: Setting
    tools: dict[str, str] = {}
    processes: int
    values: dict[str, tuple[float, ...]] = Field(description="by metric, one for each process that measured it")


@dataclass(frozen=True)
class Identity:
    """What two results must share before they may be compared."""

    edgekit: str
    bundle: BundleFacts
    device: KnownDevice
    conditions: Setting


class Change(Strict):
    """One metric of a new result beside its baseline; a positive share is for the worse."""

    metric: str
    verdict: Word
    before: float = Field(description="the baseline's median")
    after: float = Field(description="the new result's mean")
    worse: float = Field(description="share by which it is worse; negative is better")
    low: float = Field(description="lower end of the 95 % confidence interval of that share")
    high: float
    limit: float = Field(description="share that is allowed")
    reason: str = ""


def save(reports: Sequence[Report]) -> Baseline:
    """A baseline of results that belong together.

    Raises:
        NotMeasured: they cannot be compared with each other, are not valid, or have fewer than MIN_PROCESSES processes.
    """
    first = reports[0]
    for report in reports:
        require_valid(report)
        require_alike(identity(first), identity(report), "the first result")
    count = sum(len(report.processes) for report in reports)
    if count < MIN_PROCESSES:
        raise NotMeasured(f"a baseline is {MIN_PROCESSES} processes or more, here are {count}", next=SOME)
    return Baseline(
        **vars(identity(first)) | {"edgekit": __version__},
        evidence=first.device.evidence,
        tools=first.tools,
        processes=count,
        values={name: tuple(values) for name, values in values_of(reports).items()},
    )


def compare(baseline: Baseline, report: Report, rerun: Report | None = None) -> tuple[Change, ...]:
    """Every metric that both have.

    Args:
        rerun: a second result, which must agree before anything fails.

    Raises:
        NotMeasured: the result cannot be compared with the baseline; the reason is given.
    """
    for one in filter(None, (report, rerun)):
        require_valid(one)
        require_alike(baseline, identity(one), "the baseline")
    first = _changes(baseline, report)
    again = _changes(baseline, rerun) if rerun else {}
    if not first:
        raise NotMeasured("the result and the baseline have no metric in common", next=SOME)
    return tuple(_settled(change, again.get(name), rerun is not None) for name, change in first.items())


def limit(metric: str, values: Sequence[float], evidence: Evidence) -> float:
    """The share by which a metric may be worse: max(3 x MAD, its noise)."""
    known = m.of(metric)
    floor = FLOOR.get(evidence, FLOOR["device"]) if known is None or known.noise is None else known.noise
    centre = statistics.median(values)
    mad = statistics.median(abs(value - centre) for value in values) / abs(centre)
    return max(MADS * mad, floor)


def values_of(reports: Sequence[Report]) -> dict[str, list[float]]:
    """What each process found, by metric; every start after the first is a process of load_warm_s."""
    found: dict[str, list[float]] = {}
    for report in reports:
        for process in report.processes:
            for name, value in process.values.items():
                found.setdefault(name, []).append(value)
        found.setdefault(m.LOAD_WARM_S.name, []).extend(report.raw.get(m.LOAD_WARM_S.series, [])[1:])
        for one in report.measurements:
            if one.metric == m.BUNDLE_MB.name and one.value is not None:
                found.setdefault(one.metric, []).append(one.value)
    return {name: values for name, values in found.items() if values and (metric := m.of(name)) and metric.baseline}


def identity(report: Report) -> Identity:
    """What a result shares with those that it may be compared with."""
    return Identity(
        edgekit=report.tools.get("edgekit", ""),
        bundle=part(BundleFacts, report.bundle),
        device=part(KnownDevice, report.device),
        conditions=part(Setting, report.conditions),
    )


def require_valid(report: Report) -> None:
    """NotMeasured where a result's timing may not be believed, or it gives other answers than it should."""
    name = f"{report.bundle.name} on {report.device.model or report.device.cpu}"
    if not report.goldens.passed:
        raise NotMeasured(f"{name}: its golden answers differ", next="make it answer rightly first")
    if why := report.conditions.invalid:
        raise NotMeasured(f"{name}: the result is invalid: {why[0]}", next="measure it again on a quiet machine")
    if report.device.evidence not in ("host", "device"):
        raise NotMeasured(
            f"{name}: its evidence is {report.device.evidence}, and that is no measurement of speed",
            next="check it on the device itself",
        )
    if not report.processes:
        raise NotMeasured(f"{name}: it holds no process that was measured", next=SOME)


def require_alike(known: Identity | Baseline, other: Identity, what: str) -> None:
    """NotMeasured, with what differs, where two identities may not be compared."""
    parts: tuple[tuple[str, Strict, Strict, tuple[str, ...]], ...] = (
        ("bundle", known.bundle, other.bundle, SAME_BUNDLE),
        ("device", known.device, other.device, SAME_DEVICE),
        ("conditions", known.conditions, other.conditions, SAME_CONDITIONS),
    )
    different = [
        f"{part} {key} is {_shown(getattr(theirs, key))}, {what}'s is {_shown(getattr(ours, key))}"
        for part, ours, theirs, keys in parts
        for key in keys
        if getattr(ours, key) != getattr(theirs, key)
    ]
    ram = known.device.ram_mb, other.device.ram_mb
    if (ram[0] is None) != (ram[1] is None) or (ram[0] and ram[1] and abs(ram[1] / ram[0] - 1) > RAM_SHARE):
        different.append(f"device ram_mb is {_shown(ram[1])}, {what}'s is {_shown(ram[0])}")
    if known.edgekit.partition(".")[0] != other.edgekit.partition(".")[0]:
        different.append(f"edgekit is {other.edgekit}, {what}'s is {known.edgekit}")
    if different:
        raise NotMeasured(
            f"they cannot be compared: {'; '.join(different)}",
            next="save a baseline under these conditions, or check under the baseline's",
        )


def _changes(baseline: Baseline, report: Report) -> dict[str, Change]:
    found = {}
    for name, values in values_of([report]).items():
        before = baseline.values.get(name)
        metric = m.of(name)
        if metric is None or not before or statistics.median(before) <= 0 or min(values) <= 0:
            continue
        found[name] = _change(name, metric.better, before, values, limit(name, before, baseline.evidence))
    return found


def _change(
    name: str, better: Literal["lower", "higher"], before: Sequence[float], after: Sequence[float], allowed: float
) -> Change:
    centre, value = statistics.median(before), statistics.fmean(after)
    low, high = _interval(before, after)
    ends = [_worse(better, centre, end) for end in (low, high)]
    worse = _worse(better, centre, value)
    if worse <= allowed:
        word: Word = "better" if max(ends) < -allowed else "pass"
        reason = ""
    elif min(ends) > allowed:
        word, reason = "fail", "the whole interval is beyond the limit"
    else:
        word, reason = "inconclusive", "beyond the limit, but its interval is not: measure more processes"
    return Change(
        metric=name,
        verdict=word,
        before=rounded(centre),
        after=rounded(value),
        worse=rounded(worse),
        low=rounded(min(ends)),
        high=rounded(max(ends)),
        limit=rounded(allowed),
        reason=reason,
    )


def _interval(before: Sequence[float], after: Sequence[float]) -> tuple[float, float]:
    """Of the new mean: over its own processes, or for a single one by what the baseline's processes vary."""
    own = interval(after)
    if own is not None:
        return own
    half = t95(len(before) - 1) * statistics.stdev(before) if len(before) > 1 else 0.0
    return after[0] - half, after[0] + half


def _worse(better: Literal["lower", "higher"], before: float, after: float) -> float:
    """How much worse `after` is, as a share: of the time for times, of the speed for speeds."""
    return after / before - 1 if better == "lower" else 1 - after / before


def _settled(change: Change, again: Change | None, rerun: bool) -> Change:
    """A failure stands only where the rerun found it too."""
    if change.verdict != "fail":
        return change
    if not rerun:
        reason = "beyond the limit: run the check again and give both results; it fails if the rerun agrees"
        return change.model_copy(update={"verdict": "inconclusive", "reason": reason})
    if again is not None and again.verdict == "fail":
        return change.model_copy(update={"reason": f"beyond the limit, and the rerun agrees ({again.worse:+.1%})"})
    return change.model_copy(update={"verdict": "inconclusive", "reason": "beyond the limit, but the rerun disagrees"})


def _shown(value: Any) -> str:
    return "not known" if value is None else repr(value)
