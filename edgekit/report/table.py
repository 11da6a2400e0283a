"""A report as a table on the terminal."""

from __future__ import annotations

from edgekit import console
from edgekit.contract.result import Report
from edgekit.report import describe
from edgekit.results.measurement import Measurement, Verdict
from edgekit.verdicts.ab import AbReport
from edgekit.verdicts.baseline import Baseline, Change


def show(report: Report) -> None:
    """Print a report: where it ran, the goldens, every metric with its verdict, and what makes timing invalid."""
    device = report.device
    engines = ", ".join(f"{name} {version}" for name, version in report.tools.items())
    console.out(
        f"{report.bundle.name} on {describe.device(report)} ({device.os} {device.abi}), evidence: {device.evidence}; "
        f"{report.bundle.target}: {report.proof}"
    )
    console.out(f"with {engines}")
    if trusted := describe.runtime(report.conditions):
        console.out(trusted)
    console.out(describe.goldens(report))
    verdicts = {one.metric: one for one in report.verdicts}
    rows = [_row(one, verdicts.pop(one.metric, None)) for one in report.measurements]
    rows += [[metric, "", "", "", _words(verdict)] for metric, verdict in verdicts.items()]
    if rows:
        console.table("", ["metric", "value", "95 % interval", "samples", "verdict"], rows, right=(1, 2, 3))
    for reason in report.conditions.invalid:
        console.out(f"invalid: {reason}")


def show_ab(report: AbReport) -> None:
    """Print an A/B: the ratio of every metric with its verdict."""
    console.out(f"A {report.a.name}, B {report.b.name}, evidence: {report.device.evidence}")
    if trusted := describe.runtime(report.conditions):
        console.out(trusted)
    rows = [
        [
            one.metric,
            f"{one.ratio:.3f}" if one.ratio is not None else "",
            f"{one.low:.3f} .. {one.high:.3f}" if one.low is not None and one.high is not None else "",
            str(one.blocks),
            f"{one.verdict}, {one.better} is better" if one.better else one.verdict,
        ]
        for one in report.ratios
    ]
    console.table("", ["metric", "B / A", "95 % interval", "blocks", "verdict"], rows, right=(1, 2, 3))
    for reason in dict.fromkeys(one.reason for one in report.ratios if one.reason):
        console.out(f"note: {reason}")


def show_changes(baseline: Baseline, changes: tuple[Change, ...]) -> None:
    """Print a comparison with a baseline."""
    rows = [
        [
            one.metric,
            describe.number(one.metric, one.before),
            describe.number(one.metric, one.after),
            f"{one.worse:+.1%}",
            f"{one.low:+.1%} .. {one.high:+.1%}",
            f"{one.limit:.1%}",
            one.verdict,
        ]
        for one in changes
    ]
    title = f"{baseline.bundle.name}: beside a baseline of {baseline.processes} processes (+ is worse)"
    columns = ["metric", "before", "now", "worse by", "95 % interval", "limit", "verdict"]
    console.table(title, columns, rows, right=(1, 2, 3, 4, 5))
    for one in changes:
        if one.reason:
            console.out(f"{one.metric}: {one.reason}")


def _row(one: Measurement, verdict: Verdict | None) -> list[str]:
    said = _words(verdict) if verdict else "" if one.valid else "invalid"
    if not said and one.reason:
        said = one.reason
    return [one.metric, describe.value(one), describe.interval(one), str(one.n) if one.n else "", said]


def _words(verdict: Verdict) -> str:
    why = f": {verdict.reason}" if verdict.verdict == "not-measured" else ""
    return f"{verdict.verdict} ({verdict.limit}){why}"
