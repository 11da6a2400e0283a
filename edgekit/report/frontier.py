"""Size against loss, as a picture: one point a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekit import plain
from edgekit.report.page import picture
from edgekit.report.page.svg import BOTTOM, LETTER, TOP, Canvas, Scale, around

WIDE, TALL = 640.0, 400.0
HEAD = 52.0  # title, and the names of the series
LINE = 14.0  # between two labels
LOG_FROM = 20.0  # largest over smallest value
COLOURS = 4


@dataclass(frozen=True)
class Point:
    """One quantization: megabytes, and what it loses (or keeps)."""

    label: str
    megabytes: float
    value: float
    chosen: bool = False


def draw(series: Mapping[str, Sequence[Point]], *, title: str, metric: str, limit: float | None = None) -> str:
    """An SVG of the points of each series, joined in the order of their sizes where there are several series.

    Args:
        metric: the name of the vertical axis; logarithmic where all values are positive and far apart.
        limit: drawn as a line.
    """
    canvas, bottom = Canvas(TALL, wide=WIDE), TALL - BOTTOM
    points = [point for several in series.values() for point in several]
    x = Scale(*around([point.megabytes for point in points]), canvas.left, canvas.right - 60)
    y = _vertical([point.value for point in points] + ([limit] if limit is not None else []), bottom, TOP + HEAD)
    canvas.text(2, TOP + 6, plain.cell(title), "mark")
    canvas.y_axis(y, metric, 5)
    canvas.x_axis(x, bottom, "megabytes of model files")
    if limit is not None:
        canvas.line([(canvas.left, y(limit)), (canvas.right, y(limit))], "limit")
        canvas.text(canvas.right, y(limit) - 5, f"limit {limit:g}", "tick", "end")
    legend = canvas.left
    for at, (name, several) in enumerate(series.items()):
        colour, ordered = at % COLOURS + 1, sorted(several, key=lambda point: point.megabytes)
        if len(series) > 1:
            canvas.line([(x(point.megabytes), y(point.value)) for point in ordered], f"line{colour}")
            canvas.dot(legend, TOP + 20, f"dot{colour}")
            canvas.text(legend + 8, TOP + 24, plain.cell(name), "tick")
            legend += 24 + LETTER * len(name)
        for point in ordered:
            canvas.dot(x(point.megabytes), y(point.value), f"dot{colour}", 3.5, f"{point.value:.4g}")
    _labels(canvas, points, x, y)
    said = "; ".join(f"{point.label} {point.megabytes:.4g} MB, {point.value:.4g}" for point in points)
    return picture.svg(canvas, plain.cell(title), f"{metric}: {plain.cell(said)}.")


def _vertical(values: Sequence[float], bottom: float, top: float) -> Scale:
    if min(values) > 0 and max(values) / min(values) > LOG_FROM:
        return Scale(min(values) / 1.5, max(values) * 1.5, bottom, top, log=True)
    return Scale(*around(values), bottom, top)


def _labels(canvas: Canvas, points: Sequence[Point], x: Scale, y: Scale) -> None:
    """Each beside its point, a line lower where another stands already; the chosen one is marked."""
    taken: list[tuple[float, float, float]] = []
    for point in sorted(points, key=lambda point: y(point.value)):
        text = plain.cell(point.label)
        wide, at, line = LETTER * len(text), x(point.megabytes), y(point.value) - 5
        before = at + 6 + wide > canvas.wide
        first = at - 6 - wide if before else at + 6
        while any(abs(line - other) < LINE and first < end and start < first + wide for start, end, other in taken):
            line += LINE
        taken.append((first, first + wide, line))
        canvas.text(first, line, text, "mark" if point.chosen else "label")
