"""Put bundles side by side: size, quality, placement, measurements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit import console
from edgekit.commands._places import PLACE
from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.compare import Cell, Comparison, Row
    from edgekit.report.chart import Panel
    from edgekit.results.metrics import Headline

DRAWN: tuple[Headline, ...] = (
    *("size", "divergence", "agreement", "direction", "speed", "first token", "memory", "energy", "placement"),
)


@click.command()
@click.argument("bundles", nargs=-1, required=True, type=PLACE)
@click.option("--plot", type=PLACE, help="Draw it too: a .svg.")
def command(bundles: tuple[Path, ...], plot: Path | None) -> None:
    """Compare BUNDLES, two or more, by what their builds and their BUNDLE.result.json say. Nothing is run.

    The best of a line is marked with a star, where the figures may be compared.
    """
    from edgekit import compare, output
    from edgekit.data import jsonable

    if len(bundles) < 2:
        raise UsageError("a comparison needs two bundles or more", next="edgekit compare BUNDLE_A BUNDLE_B")
    if plot is not None and plot.suffix.lower() != ".svg":
        raise UsageError(f"{plot.name} is no picture that can be drawn", next="end it with .svg")
    if plot is not None:
        output.check(plot)
    found = compare.compare(bundles)
    if plot is not None:
        _draw(found, plot)
    if console.json_mode():
        console.document("edgekit.compare/1", jsonable(found))
    _show(found)


def _show(found: Comparison) -> None:
    rows: list[list[str]] = []
    section = ""
    for row in found.rows:
        cells = [_cell(row, value) + (" *" if at == row.best else "") for at, value in enumerate(row.values)]
        rows.append([row.section if row.section != section else "", row.name, *cells])
        section = row.section
    console.table("", ["", "", *found.bundles], rows, right=range(2, 2 + len(found.bundles)))
    for note in found.notes:
        console.out(f"note: {note}")


def _cell(row: Row, value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return f"{value:.1%}" if row.unit == "share" else f"{value:,.4g} {row.unit}".rstrip()


def _draw(found: Comparison, plot: Path) -> None:
    from edgekit import output
    from edgekit.report import chart

    output.write(plot, chart.draw(found.bundles, _panels(found)))
    console.say(f"plot: {plot}")


def _panels(found: Comparison) -> list[Panel]:
    """The figures that people look at first: of each bundle the first of a column that it has, at its first place."""
    from edgekit.report.chart import Panel
    from edgekit.results import metrics as m

    panels = []
    for column in DRAWN:
        shown: set[int] = set()
        for metric in m.headlines(column):
            row = next((row for row in found.rows if m.of(row.name) is metric), None)
            having = {at for at, value in enumerate(row.values) if value is not None} if row else set()
            if row and having - shown:
                shown |= having
                values = tuple(value if isinstance(value, float) else None for value in row.values)
                panels.append(Panel(f"{row.name}{f', {row.unit}' if row.unit else ''}", values, row.best))
    return panels
