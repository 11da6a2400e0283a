"""Save what a bundle does on a device, and hold later results against it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit import console
from edgekit.commands._places import PLACE
from edgekit.errors import EdgekitError, NotMeasured, OverBudget, UsageError

if TYPE_CHECKING:
    from edgekit.verdicts.baseline import Change


@click.group()
def command() -> None:
    """Find regressions: a baseline is five processes or more of one bundle on one device."""


@command.command()
@click.argument("results", nargs=-1, required=True, type=PLACE)
@click.option("-o", "--output", "out", type=PLACE, help="Default: the bundle's name.baseline.json; - stdout.")
def save(results: tuple[Path, ...], out: Path | None) -> None:
    """Make a baseline of RESULTS: one of `edgekit check --processes 5`, or several that belong together."""
    from edgekit import output
    from edgekit.data import jsonable, pretty
    from edgekit.verdicts import baseline, read

    made = baseline.save(read.reports(results))
    path = out or _named(made.bundle.name)
    if path == output.STDOUT:
        console.page(pretty(jsonable(made)))
    else:
        output.write(path, pretty(jsonable(made)))
    if console.json_mode():
        console.document("edgekit.baseline/1", {"path": str(path), "baseline": jsonable(made)})
    if path != output.STDOUT:
        console.out(f"baseline of {made.processes} processes, {len(made.values)} metrics: {path}")


@command.command()
@click.argument("result", type=PLACE)
@click.argument("rerun", required=False, type=PLACE)
@click.option("--baseline", "path", required=True, type=PLACE, help="A file of baseline save.")
def compare(result: Path, rerun: Path | None, path: Path) -> None:
    """Hold RESULT against a baseline. What looks worse fails only if a RERUN agrees.

    The limit is three times the spread between the baseline's processes, at least 3 % on this machine, 7 % on a device,
    10 % for energy, 3 % for memory, 15 % for starts.

    Exit code: 10 a regression, 11 inconclusive, or they cannot be compared.
    """
    from edgekit.data import jsonable
    from edgekit.report import table
    from edgekit.verdicts import baseline, read

    known = read.baseline(path)
    again = read.report(rerun) if rerun is not None else None
    changes = baseline.compare(known, read.report(result), again)
    error = _error(changes)
    if console.json_mode():
        data = {"changes": [jsonable(one) for one in changes]}
        console.document("edgekit.baseline/1", data, error=error)
    table.show_changes(known, changes)
    if error is not None:
        raise error


def _named(bundle: str) -> Path:
    """NAME.baseline.json here; a result comes from anybody, and so does the name in it."""
    from edgekit.wrappers.python.paths import why_unsafe

    name = f"{bundle}.baseline.json"
    if "/" in name or why_unsafe(name):
        raise UsageError(f"no file can be named after the bundle {bundle[:100]!r}", next="name one with -o")
    return Path(name)


def _error(changes: tuple[Change, ...]) -> EdgekitError | None:
    words = {one.verdict: one for one in reversed(changes)}
    if worse := words.get("fail"):
        return OverBudget(
            f"{worse.metric} is {worse.worse:.1%} worse than the baseline, {worse.limit:.1%} are allowed",
            next="see what changed since: the bundle, the engines, the device",
        )
    if unsure := words.get("inconclusive"):
        return NotMeasured(
            f"{unsure.metric} is {unsure.worse:.1%} worse than the baseline, but not surely: {unsure.reason}",
            next="check again with --processes 5 and give both results",
        )
    return None
