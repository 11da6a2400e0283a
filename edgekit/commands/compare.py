"""Put bundles side by side: size, quality, placement, measurements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit import console
from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.compare import Comparison
    from edgekit.report.chart import Panel

PICTURES = (".svg", ".png")
DRAWN = (
    *("bundle_mb", "kl_mean", "top1_agreement", "cosine_mean", "decode_tps", "latency_p50_ms", "ttft_ms"),
    *("peak_footprint_mb", "energy_j_per_token", "energy_j_per_inference", "ep_share"),
)


@click.command()
@click.argument("bundles", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--plot", type=click.Path(path_type=Path), help="Draw it too: a .svg or .png (needs the extra 'report').")
def command(bundles: tuple[Path, ...], plot: Path | None) -> None:
    """Compare BUNDLES, two or more, by what their builds and their BUNDLE.result.json say. Nothing is run.

    The best of a line is marked with a star, where the figures may be compared.
    """
    from edgekit import compare
    from edgekit.data import jsonable

    if len(bundles) < 2:
        raise UsageError("a comparison needs two bundles or more", next="edgekit compare BUNDLE_A BUNDLE_B")
    if plot is not None and plot.suffix.lower() not in PICTURES:
        raise UsageError(f"{plot.name} is no picture that can be drawn", next="end it with .svg or .png")
    found = compare.compare(bundles)
    if plot is not None:
        _draw(found, plot)
    if console.json_mode():
        console.document("edgekit.compare/1", jsonable(found))
    _show(found)


def _show(found: Comparison) -> None:
    from edgekit import compare

    rows: list[list[str]] = []
    section = ""
    for row in found.rows:
        cells = [compare.shown(row, value) + (" *" if at == row.best else "") for at, value in enumerate(row.values)]
        rows.append([row.section if row.section != section else "", row.name, *cells])
        section = row.section
    console.table("", ["", "", *found.bundles], rows, right=range(2, 2 + len(found.bundles)))
    for note in found.notes:
        console.out(f"note: {note}")


def _draw(found: Comparison, plot: Path) -> None:
    from edgekit.bundle.aside import writing
    from edgekit.report import chart

    panels = _panels(found)
    with writing(f"writing {plot}"):
        chart.draw(found.bundles, panels, plot)
    console.say(f"plot: {plot}")


def _panels(found: Comparison) -> list[Panel]:
    """The figures that people look at first, as far as a bundle has them; of a metric's workloads the first."""
    from edgekit.report.chart import Panel

    panels = []
    for name in DRAWN:
        row = next((row for row in found.rows if row.name.partition("@")[0] == name), None)
        if row is not None:
            values = tuple(value if isinstance(value, float) else None for value in row.values)
            unit = f", {row.unit}" if row.unit else ""
            panels.append(Panel(f"{row.name}{unit}", values, row.best))
    return panels
