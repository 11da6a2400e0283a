"""A report as a table on the terminal."""

from __future__ import annotations

from edgekit import console
from edgekit.report import metrics
from edgekit.report.measurement import Measurement, Report, Verdict


def show(report: Report) -> None:
    """Print a report: where it ran, the goldens, every metric with its verdict, and what makes timing invalid."""
    device = report.device
    where = device.get("model") or device.get("cpu") or "unknown machine"
    engines = ", ".join(f"{name} {version}" for name, version in report.tools.items())
    console.out(
        f"{report.bundle['name']} on {where} ({device.get('os')} {device.get('abi')}), evidence: {device['evidence']}"
    )
    console.out(f"with {engines}")
    console.out(_goldens(report))
    verdicts = {one.metric: one for one in report.verdicts}
    rows = [_row(one, verdicts.pop(one.metric, None)) for one in report.measurements]
    rows += [[metric, "", "", "", _words(verdict)] for metric, verdict in verdicts.items()]
    if rows:
        console.table("", ["metric", "value", "95 % interval", "samples", "verdict"], rows, right=(1, 2, 3))
    for reason in report.conditions.get("invalid", ()):
        console.out(f"invalid: {reason}")


def _goldens(report: Report) -> str:
    found = report.goldens
    if not found["compared"]:
        return "goldens: not measured, none is sure enough to be compared"
    word = "pass" if found["passed"] else "FAIL"
    kernels = "" if found["same_kernels"] else "; recorded on another kind of CPU"
    first = f"; {found['mismatches'][0]}" if found["mismatches"] else ""
    return f"goldens: {word}, {found['compared']} compared ({found['rule']}){kernels}{first}"


def _row(one: Measurement, verdict: Verdict | None) -> list[str]:
    metric = metrics.of(one.metric)
    unit = metric.unit if metric else ""
    value = f"{one.value:,.4g} {unit}" if one.value is not None else "not measured"
    interval = f"{one.low:,.4g} .. {one.high:,.4g}" if one.low is not None and one.high is not None else ""
    said = _words(verdict) if verdict else "" if one.valid else "invalid"
    if not said and one.reason:
        said = one.reason
    return [one.metric, value, interval, str(one.n) if one.n else "", said]


def _words(verdict: Verdict) -> str:
    bounds = [f">= {verdict.limit.min:g}" if verdict.limit.min is not None else ""]
    bounds.append(f"<= {verdict.limit.max:g}" if verdict.limit.max is not None else "")
    limit = " and ".join(filter(None, bounds))
    return f"{verdict.verdict} ({limit})" + (f": {verdict.reason}" if verdict.verdict == "not-measured" else "")
