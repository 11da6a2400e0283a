"""Plots of what the build wrote down, quality and placement, and of several results side by side."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.contract.result import Report
from edgekit.report import describe
from edgekit.report.page.plots import absent, figure
from edgekit.report.page.svg import TOP, WIDE, Canvas, Scale
from edgekit.report.page.text import escape
from edgekit.results import metrics as m
from edgekit.results.measurement import Measurement, Verdict
from edgekit.results.partition import Partition

MOST = 1.5  # allowances used that are still drawn to scale
BLOCKERS = 4


def quality(report: Report, ident: str) -> str:
    """How much of each limit of the quality gate the bundle uses: a bar up to the limit."""
    found = report.bundle.quality
    rows = [row for one in found.verdicts if (row := _allowance(one))]
    if not rows:
        return absent("Quality against the source", f"The gate was {found.mode}.")
    canvas = Canvas(TOP + 20 + 36 * len(rows))
    x = Scale(0, MOST, 4, WIDE - 4)
    for at, (name, value, limit, used, verdict) in enumerate(rows):
        y = TOP + 20 + at * 36
        canvas.text(4, y, name, "label")
        canvas.text(WIDE - 4, y, f"{value}   limit {limit}", "value", "end")
        canvas.bar(4, y + 6, WIDE - 8, 9, "track")
        canvas.bar(4, y + 6, x(used) - 4, 9, "good" if verdict == "pass" else "bad", f"{used:.0%} of what is allowed")
        canvas.line([(x(1), y + 3), (x(1), y + 18)], "event")
    canvas.text(x(1), TOP + 4, "limit", "mark", "middle")
    text = "; ".join(f"{name} {value}, limit {limit}: {verdict}" for name, value, limit, _, verdict in rows)
    note = f"{found.verdict} ({found.mode}); bars: share of the limit that is used"
    title = "Quality against the source"
    return figure(title, canvas.svg(title, f"{text}.", ident), note)


def placement(report: Report, ident: str) -> str:
    """Which execution provider takes how much of the graph, and what it leaves."""
    rows = list(report.bundle.partition.items())
    if not rows:
        return absent("Placement", "The bundle does not say which execution provider takes what.")
    canvas = Canvas(TOP + 8 + 58 * len(rows))
    x = Scale(0, 1, 4, WIDE - 4)
    said = []
    for at, (name, graph) in enumerate(rows):
        share, y = graph.coverage, TOP + 12 + at * 58
        nodes = f"{graph.nodes_taken} of {graph.nodes} nodes"
        canvas.text(4, y, f"{name}: {graph.ep}", "label")
        canvas.text(WIDE - 4, y, f"{share:.1%} of the work, {nodes}", "value", "end")
        canvas.bar(4, y + 7, WIDE - 8, 14, "track")
        canvas.bar(4, y + 7, x(share) - 4, 14, "fill1", f"{share:.1%}")
        trips = graph.round_trips
        canvas.text(4, y + 35, f"pieces: {graph.partitions}, round trips in a row: {trips}", "tick")
        said.append(f"{name}: {graph.ep} takes {share:.1%} of the work, {nodes}, {trips} round trips")
    first = rows[0][1]
    title = "Placement"
    svg = canvas.svg(title, f"{'; '.join(said)}.", ident)
    return figure(title, svg + _blockers([graph for _, graph in rows]), f"{first.how}, evidence: {first.evidence}")


def comparison(reports: Sequence[Report], ident: str) -> list[str]:
    """One plot for each of the first figures that several results have: a bar for each, with its interval."""
    found = []
    speed, *others = map(m.headlines, describe.COLUMNS)  # those of the speed have no axis in common
    for at, choices in enumerate((*((metric,) for metric in speed), *others)):
        rows = [(report, one) for report in reports if (one := describe.first(report, choices)) is not None]
        if len(rows) > 1:
            found.append(_bars(rows, f"{ident}-{at}"))
    return found


def _bars(rows: Sequence[tuple[Report, Measurement]], ident: str) -> str:
    metric = rows[0][1].metric.partition("@")[0]
    known = m.METRICS[metric]
    canvas = Canvas(TOP + 40 * len(rows) + 4)
    x = Scale(0, max(one.high or one.value or 0 for _, one in rows) * 1.04 or 1, 4, WIDE - 4)
    names = _names([report for report, _ in rows])
    for at, (report, one) in enumerate(rows):
        y, value = TOP + 12 + at * 40, one.value or 0.0
        workload = f" ({one.metric.partition('@')[2]})" if "@" in one.metric else ""
        canvas.text(4, y, _fit(f"{names[at]}{workload}", 34), "label")
        canvas.text(WIDE - 4, y, describe.value(one) + ("" if one.valid else " !"), "value", "end")
        canvas.bar(4, y + 6, x(value) - 4, 13, "fill1" if one.valid else "fill1 doubtful", describe.value(one))
        if one.low is not None and one.high is not None:
            canvas.line([(x(max(0, one.low)), y + 12.5), (x(one.high), y + 12.5)], "whisker")
    said = "; ".join(f"{describe.bundle(report)}: {describe.value(one)}" for report, one in rows)
    note = f"{known.better} is better" + ("; ! invalid" if any(not one.valid for _, one in rows) else "")
    return figure(metric, canvas.svg(metric, f"{said}.", ident), note)


def _names(reports: Sequence[Report]) -> list[str]:
    """What tells the reports apart, as short as it can be: the bundles, the devices, or both."""
    bundles, devices = [describe.bundle(one) for one in reports], [describe.device(one) for one in reports]
    if len(set(bundles)) == len(bundles):
        return bundles
    if len(set(bundles)) == 1 and len(set(devices)) == len(devices):
        return devices
    return [f"{bundle} · {device}" for bundle, device in zip(bundles, devices, strict=True)]


def _allowance(verdict: Verdict) -> tuple[str, str, str, float, str] | None:
    """Metric, value, limit, and the share of the allowance that is used (1 is the limit)."""
    value, least, most = verdict.value, verdict.limit.min, verdict.limit.max
    if value is None:
        return None
    if most is not None and least is None:
        bound, used = f"<= {most:.6g}", value / most if most else (0.0 if value <= 0 else MOST)
    elif least is not None and most is None:
        worth = (1 - value) / (1 - least) if 0 < least < 1 else least / value if value > 0 else MOST
        bound, used = f">= {least:.6g}", worth
    else:
        return None
    return verdict.metric, f"{value:.6g}", bound, min(max(used, 0.0), MOST), verdict.verdict


def _blockers(graphs: Sequence[Partition]) -> str:
    """What the providers leave, most work first."""
    found = [blocker for graph in graphs for blocker in graph.blockers]
    found = sorted(found, key=lambda one: -one.share)[:BLOCKERS]
    if not found:
        return ""
    lines = "".join(
        f"<li><code>{escape(one.operator.rpartition(':')[2])}</code> {one.nodes} nodes, {one.share:.1%}: "
        f"{escape(one.reason)}</li>"
        for one in found
    )
    return f'<ul class="blockers">{lines}</ul>'


def _fit(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"
