"""Run the quality gate again: a bundle beside the model it was built from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from edgekit import console
from edgekit.commands._places import PLACE

if TYPE_CHECKING:
    from edgekit.contract.manifest import Quality


@click.command()
@click.argument("bundle", type=PLACE)
@click.option("--against", "source", required=True, help="The model it was built from, as given to edgekit build.")
@click.option(
    "--quality",
    "mode",
    type=click.Choice(["default", "fast", "thorough"]),
    default="default",
    show_default=True,
    help="How much the gate measures.",
)
@click.option("--calibration", type=PLACE, help="The folder given to edgekit build.")
@click.option("--labels", type=PLACE, help="CSV of the calibration files and their classes.")
@click.option("--text", type=PLACE, help="Text for the gate instead of the one that ships.")
@click.option("--limit", "limits", multiple=True, help="A quality limit, METRIC:max=VALUE or METRIC:min=VALUE.")
@click.option("--variant", help="A variant of the bundle by name; else the first.")
def command(
    bundle: Path,
    source: str,
    mode: str,
    calibration: Path | None,
    labels: Path | None,
    text: Path | None,
    limits: tuple[str, ...],
    variant: str | None,
) -> None:
    """Compare BUNDLE with its source and print every metric with its limit. Nothing is written.

    Exit code: 9 too far from the source, 11 a gated metric was not measured.
    """
    from edgekit import quality, regate
    from edgekit.commands import _bundle
    from edgekit.data import jsonable
    from edgekit.quality import Mode

    _bundle.folder(bundle, "quality")
    found, because = regate.regate(
        bundle,
        source,
        cast(Mode, mode),
        calibration=calibration,
        table=labels,
        text=text,
        limits=limits,
        variant=variant,
    )
    error = quality.explain(found, because)
    if console.json_mode():
        console.document("edgekit.quality/1", jsonable(found), error=error)
    show(f"{bundle.name} beside {source}", found)
    if error is not None:
        raise error


def show(title: str, found: Quality) -> None:
    """The verdicts of a gate as a table, then what is only reported."""
    rows = [[one.metric, number(one.value), str(one.limit), one.verdict] for one in found.verdicts]
    judged = {one.metric for one in found.verdicts}
    rows += [[one.metric, number(one.value), "", "reported"] for one in found.measurements if one.metric not in judged]
    console.table(title, ["quality", "value", "limit", "verdict"], rows, right=(1, 2))
    for note in found.notes:
        console.out(f"note: {note}")


def number(value: float | None) -> str:
    """A value in four digits."""
    return "not measured" if value is None else f"{value:.4g}"
