"""The plots of one result. Each is a figure, or nothing where there is nothing to draw."""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from edgekit.contract.result import Report
from edgekit.report import describe
from edgekit.report.page import series
from edgekit.report.page.series import Course, Curve
from edgekit.report.page.svg import BOTTOM, LEFT, RIGHT, TOP, WIDE, Canvas, Scale, around, short
from edgekit.report.page.text import escape
from edgekit.results import metrics as m
from edgekit.results.measurement import EnergyRun
from edgekit.verdicts.energy import PER
from edgekit.verdicts.summary import percentile
from edgekit.verdicts.sustain import onset
from edgekit.verdicts.validity import DRIFT

BINS = 42
BODY = 2.5  # the axis goes so many times as far beyond the last percentile as that lies beyond the median
RUG = 60
HEAD = 26.0  # above a panel, for its axis' title


def figure(title: str, svg: str, note: str = "") -> str:
    """A plot with its heading."""
    said = f"<span>{escape(note)}</span>" if note else ""
    return f'<figure class="plot"><figcaption><b>{escape(title)}</b>{said}</figcaption>{svg}</figure>'


def absent(title: str, why: str, next: str = "") -> str:
    """A figure's place, with the reason why it is empty: no reader should wonder whether it was forgotten."""
    step = f'<p class="next">{escape(next)}</p>' if next else ""
    return (
        f'<figure class="plot absent"><figcaption><b>{escape(title)}</b></figcaption>'
        f"<p>{escape(why)}</p>{step}</figure>"
    )


def distribution(report: Report, ident: str) -> str:
    """Every sample of the latency, or of the time between tokens: a histogram with p50, p90 and p99, the tail kept."""
    name = next((one.series for one in (m.ITL_P50_MS, m.LATENCY_P50_MS) if report.raw.get(one.series)), None)
    if name is None or report.conditions.sustain_s:
        return ""
    samples = sorted(report.raw[name])
    title = "Time between tokens" if name == m.ITL_P50_MS.series else "Latency of one inference"
    canvas, bottom = Canvas(236), 236 - BOTTOM
    shares = [round(100 * one.quantile) for one in m.of_series(name) if one.quantile is not None]
    marks = [(share, percentile(samples, share / 100)) for share in shares if share < 99 or len(samples) >= 100]
    tail = marks[-1][1] + BODY * (marks[-1][1] - marks[0][1])  # a rare long one must not squeeze the rest together
    x = Scale(around(samples)[0], min(around(samples)[1], max(tail, marks[0][1] * 1.02)), LEFT, WIDE - RIGHT)
    inside, beyond = [v for v in samples if v <= x.high], [v for v in samples if v > x.high]
    counts = _histogram(inside, x)
    y = Scale(0, max(counts) * 1.08, bottom, HEAD + 22)
    canvas.y_axis(y, "samples")
    width = (WIDE - RIGHT - LEFT) / BINS
    for at, count in enumerate(counts):
        if count:
            canvas.bar(LEFT + at * width + 0.5, y(count), width - 1, bottom - y(count), "fill1", f"{count} samples")
    _marks(canvas, x, marks, bottom)
    rare = inside[bisect_right(inside, marks[-1][1]) :]
    for value in rare[:: max(1, len(rare) // RUG)]:
        canvas.dot(x(value), bottom - 3, "rug", 2.2, f"{value:.4g} ms")
    if beyond:
        canvas.text(WIDE - RIGHT, bottom - 10, f"{len(beyond)} more, up to {short(beyond[-1])} →", "tick", "end")
    canvas.x_axis(x, bottom, "ms")
    told = ", ".join(f"p{share} {value:.4g} ms" for share, value in marks)
    text = f"Histogram of {len(samples)} samples between {samples[0]:.4g} and {samples[-1]:.4g} ms: {told}."
    return figure(title, canvas.svg(title, text, ident), f"{len(samples):,} samples, none left out")


def over_time(report: Report, ident: str) -> str:
    """Speed, and below it on the same time axis temperature, clock and other load, as far as they could be read."""
    found = series.course(report)
    if found is None:
        return ""
    panels = [found.speed, *found.others]
    heights = [118.0] + [50.0] * len(found.others)
    total = sum(heights) + HEAD * len(panels) + BOTTOM + TOP
    canvas = Canvas(total)
    minutes = found.seconds > 180
    x = Scale(0, max(found.seconds, 1e-6) / (60 if minutes else 1), LEFT, WIDE - RIGHT)
    top = TOP
    for at, (curve, height) in enumerate(zip(panels, heights, strict=True)):
        top += HEAD
        load = curve.name == "load by others"  # a tenth of a core is what is allowed: less is drawn as little
        y = Scale(*around([*curve.values, *([0.1] if load else [])], zero=at == 0 or load), top + height, top)
        _panel(canvas, curve, x, y, 60 if minutes else 1, at, found)
        top += height
    if when := _fall(report, found.speed):
        place = x(when / (60 if minutes else 1))
        canvas.line([(place, TOP + HEAD - 4), (place, top)], "event")
        canvas.text(place + 4, TOP + HEAD + 6, "slower from here", "mark")
    canvas.x_axis(x, top, "minutes" if minutes else "seconds")
    said = [f"{curve.name} from {min(curve.values):.4g} to {max(curve.values):.4g} {curve.unit}" for curve in panels]
    absent = [name for name in ("temperature", "clock") if all(curve.name != name for curve in found.others)]
    note = f"{' and '.join(absent)}: not readable on this machine" if absent else ""
    return figure("Speed over time", canvas.svg("Speed over time", f"{'; '.join(said)}.", ident), note)


def grid(report: Report, ident: str) -> str:
    """Time to first token by prompt length, and decoding by depth, where there is more than one of either."""
    panels = [
        ("time to first token, ms", "prompt tokens", series.workloads(report, m.TTFT_MS, "pp")),
        ("decoding, tokens/s", "tokens in the context", series.workloads(report, m.DECODE_TPS, "d")),
    ]
    plain = next((one for one in report.measurements if one.metric == m.DECODE_TPS.name), None)
    if panels[1][2] and plain is not None and plain.value is not None and panels[0][2]:
        panels[1][2].insert(0, (panels[0][2][0][0], plain.value, plain.low, plain.high))
    panels = [(title, unit, sorted(points)) for title, unit, points in panels if len(points) > 1]
    if not panels:
        return ""
    height = 96.0
    canvas = Canvas(TOP + len(panels) * (HEAD + height + BOTTOM) + 4 * (len(panels) - 1))
    top, said = TOP, []
    for at, (title, unit, points) in enumerate(panels):
        top += HEAD
        x = Scale(0, points[-1][0] * 1.05, LEFT, WIDE - RIGHT)
        y = Scale(*around([edge for _, *edges in points for edge in edges if edge], zero=True), top + height, top)
        canvas.y_axis(y, title)
        canvas.line([(x(tokens), y(value)) for tokens, value, _, _ in points], f"line{at + 1}")
        for tokens, value, low, high in points:
            if low is not None and high is not None:
                canvas.whisker(x(tokens), y(low), y(high))
            canvas.dot(x(tokens), y(value), f"dot{at + 1}", 3.5, f"{tokens} tokens: {value:.4g}")
        canvas.x_axis(x, top + height, unit)
        said.append(f"{title}: {', '.join(f'{value:.4g} at {tokens} tokens' for tokens, value, _, _ in points)}")
        top += height + BOTTOM + 4
    return figure("Prompt length and depth", canvas.svg("Prompt length and depth", f"{'; '.join(said)}.", ident))


def energy(report: Report, ident: str) -> str:
    """Power over time above idle, or why it was not measured."""
    run = report.energy
    if run is None:
        return ""
    if run.net_j is None or len(run.samples) < 2:
        return absent("Energy", f"Not measured: {run.missing or 'too few readings'}", run.next)
    canvas, bottom = Canvas(210), 210 - BOTTOM
    idle = statistics.fmean(run.idle_w) if run.idle_w else 0.0
    x = Scale(0, run.samples[-1][0], LEFT, WIDE - RIGHT)
    y = Scale(*around([watts for _, watts in run.samples] + [idle], zero=True), bottom, TOP + HEAD)
    points = [(x(at), y(watts)) for at, watts in run.samples]
    canvas.area([(points[0][0], y(idle)), *points, (points[-1][0], y(idle))], "area2")
    canvas.y_axis(y, "W")
    canvas.line(points, "line2")
    canvas.line([(LEFT, y(idle)), (WIDE - RIGHT, y(idle))], "limit")
    canvas.text(WIDE - RIGHT, y(idle) + 13, f"idle {idle:.3g} W", "mark", "end")
    canvas.x_axis(x, bottom, "seconds")
    return figure("Energy", canvas.svg("Power over time", f"{_joules(run)}.", ident), _joules(run))


def memory(report: Report, ident: str) -> str:
    """The process's own memory, phase by phase."""
    phases = [
        (phase.phase, phase.mb) for process in report.processes[:1] for phase in process.memory if phase.mb is not None
    ]
    if len(phases) < 2:
        return ""
    canvas, bottom = Canvas(190), 190 - BOTTOM
    x = Scale(0, len(phases) - 1, LEFT + 12, WIDE - RIGHT - 12)
    y = Scale(*around([mb for _, mb in phases], zero=True), bottom, TOP + HEAD)
    canvas.y_axis(y, "MB, PSS and swap")
    points = [(x(at), y(mb)) for at, (_, mb) in enumerate(phases)]
    canvas.area([(points[0][0], bottom), *points, (points[-1][0], bottom)], "area1")
    canvas.line(points, "line1")
    for at, (name, mb) in enumerate(phases):
        canvas.dot(*points[at], "dot1", 2.6, f"{name}: {mb:.4g} MB")
        if at in (0, len(phases) - 1):
            canvas.text(x(at), bottom + 16, name, "tick", "end" if at else "start")
    canvas.line([(LEFT, bottom), (WIDE - RIGHT, bottom)], "baseline")
    peak = max(phases, key=lambda phase: phase[1])
    text = ", ".join(f"{name} {mb:.4g} MB" for name, mb in phases)
    return figure(
        "Memory by phase", canvas.svg("Memory by phase", f"{text}.", ident), f"peak {peak[1]:.4g} MB: {peak[0]}"
    )


def _histogram(samples: Sequence[float], x: Scale) -> list[int]:
    counts = [0] * BINS
    for value in samples:
        share = (x(value) - x.start) / (x.end - x.start)
        counts[min(BINS - 1, int(share * BINS))] += 1
    return counts


def _marks(canvas: Canvas, x: Scale, marks: Sequence[tuple[int, float]], bottom: float) -> None:
    """Lines at percentiles; labels in rows, where they would overlap."""
    ends = [-1e9, -1e9, -1e9]
    for share, value in marks:
        at, text = x(value), f"p{share} {short(value)}"
        width = len(text) * 6.2
        anchor = "end" if at + width + 4 > WIDE else "start"
        first = at - width - 4 if anchor == "end" else at + 4
        row = next((row for row, end in enumerate(ends) if first > end), 2)
        ends[row] = first + width + 4
        top = TOP + 2 + row * 13
        canvas.line([(at, top), (at, bottom)], "event")
        canvas.text(at + (-4 if anchor == "end" else 4), top + 9, text, "mark", anchor)


def _panel(canvas: Canvas, curve: Curve, x: Scale, y: Scale, unit_s: int, at: int, course: Course) -> None:
    canvas.y_axis(y, f"{curve.name}, {curve.unit}", 4 if at == 0 else 3)
    for start in course.starts_s[1:]:
        canvas.line([(x(start / unit_s), y.start), (x(start / unit_s), y.end)], "grid")
    begins = [*course.starts_s, float("inf")]
    css = {"temperature": "line2", "clock": "line3", "load by others": "line4"}.get(curve.name, "line1")
    for begin, end in pairwise(begins):
        points = [
            (x(when / unit_s), y(value))
            for when, value in zip(curve.at_s, curve.values, strict=True)
            if begin <= when < end
        ]
        if len(points) > 1:
            canvas.line(points, css)
        elif points:
            canvas.dot(*points[0], css.replace("line", "dot"))


def _fall(report: Report, speed: Curve) -> float | None:
    """When a sustained run became slower for good."""
    if not report.conditions.sustain_s:
        return None
    allowed = DRIFT.get(report.device.evidence, DRIFT["device"])
    found = onset(speed.at_s, speed.values, allowed)
    return found[0] if found else None


def _joules(run: EnergyRun) -> str:
    net, work = run.net_j or 0.0, max(run.work, 1e-9)
    per = describe.number(PER[run.unit].name, net / work)
    off = f"+-{run.tolerance:.0%}" if run.tolerance is not None else "modelled"
    return f"{per} a {run.unit} above idle; {run.meter}, grade {run.grade} ({off})"
