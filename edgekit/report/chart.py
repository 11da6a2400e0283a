"""A comparison of bundles as a picture: a panel for each figure, a bar for each bundle, the best marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit import plain
from edgekit.report.page import picture
from edgekit.report.page.svg import LETTER, TOP, WIDE, Canvas, Scale

COLUMNS = 3
ROW = 40.0
HEAD = 30.0
GAP = 24.0
FILLS = 4  # colours; after so many bundles they begin again


@dataclass(frozen=True)
class Panel:
    """One figure of all bundles.

    Attributes:
        values: in the order of the bundles; None where one does not have it.
    """

    title: str
    values: tuple[float | None, ...]
    best: int | None = None


def draw(names: Sequence[str], panels: Sequence[Panel]) -> str:
    """An SVG of bars, panels side by side."""
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    tall = HEAD + ROW * len(names) + GAP
    canvas = Canvas(TOP + tall * rows, wide=columns * (WIDE + GAP) - GAP)
    for at, panel in enumerate(panels):
        _bars(canvas, names, panel, (at % columns) * (WIDE + GAP), TOP + tall * (at // columns))
    said = (f"{panel.title}: {', '.join(map(_value, panel.values))}" for panel in panels)
    return picture.svg(canvas, f"Comparison of {', '.join(map(plain.cell, names))}", f"{'; '.join(said)}.")


def _bars(canvas: Canvas, names: Sequence[str], panel: Panel, left: float, top: float) -> None:
    canvas.text(left + 4, top + 12, plain.cell(panel.title), "mark")
    most = max((value for value in panel.values if value is not None), default=0.0)
    x = Scale(0, most or 1.0, 0, WIDE - 8)
    for at, (name, value) in enumerate(zip(names, panel.values, strict=True)):
        y, best = top + HEAD + at * ROW, at == panel.best
        shown = _value(value) + (" (best)" if best else "")
        canvas.text(left + 4, y + 6, _end(name, WIDE - 24 - LETTER * len(shown)), "label")
        canvas.text(left + WIDE - 4, y + 6, shown, "mark" if best else "value", "end")
        canvas.bar(left + 4, y + 12, WIDE - 8, 13, "track")
        canvas.bar(left + 4, y + 12, x(value or 0.0), 13, f"dot{at % FILLS + 1}", shown)


def _value(value: float | None) -> str:
    return "not measured" if value is None else f"{value:,.4g}"


def _end(name: str, room: float) -> str:
    """The end of a name that is too long: of a path it tells most."""
    name, letters = plain.cell(name), int(room / LETTER)
    return name if len(name) <= letters else f"…{name[1 - letters :]}"
