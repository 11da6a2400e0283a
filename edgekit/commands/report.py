"""Join results of many devices and bundles into one page or file."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit import console
from edgekit.commands._places import PLACE
from edgekit.commands.check import FORMATS

PAGE = Path("edgekit-report.html")


@click.command()
@click.argument("results", nargs=-1, required=True, type=PLACE)
@click.option("--format", "form", type=click.Choice(FORMATS), help="By the ending of -o, else html.")
@click.option("-o", "--output", "out", type=PLACE, help=f"Where; a page: {PAGE}; - stdout.")
def command(results: tuple[Path, ...], form: str | None, out: Path | None) -> None:
    """Make one report of RESULTS, the result.json files of edgekit check.

    The page is one file: it loads nothing, needs no JavaScript, and is made for phones and for printing too.
    """
    from edgekit import output
    from edgekit.data import jsonable
    from edgekit.report import formats
    from edgekit.verdicts import read

    form = form or (formats.by_suffix(out) if out not in (None, output.STDOUT) else "html")
    path = None if out == output.STDOUT else out or (PAGE if form == "html" else None)
    if path is not None:
        output.check(path)
    found = read.reports(results)
    text = formats.render(form, found)
    if path is None:
        console.page(text)
    else:
        output.write(path, text)
        console.say(f"{form} of {len(found)} results: {path}")
    if console.json_mode():
        reports = [jsonable(one) for one in found] if path is None else len(found)
        console.document("edgekit.report/1", {"output": str(path) if path else None, "reports": reports})
