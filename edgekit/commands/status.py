"""Say which bundles of the project are fresh, which are stale and why."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit import console
from edgekit.commands._places import PLACE
from edgekit.errors import worst


@click.command()
@click.option("-o", "--output", "out", type=PLACE, help="The bundles' folder.")
@click.option("--only", multiple=True, help="These alone: model=NAME,target=NAME, or one of the two.")
def command(out: Path | None, only: tuple[str, ...]) -> None:
    """Say which bundles of the project are fresh, which are stale and why. Nothing is built.

    A pair that could not be built at all is refused, and its error is the command's.
    """
    from edgekit.commands import _project
    from edgekit.project import lock, pairs, status

    _, home, listed = _project.opened(out)
    states = status.of(pairs.selected(listed, only), lock.read(home / lock.NAME))
    errors = {state.pair.name: state.error for state in states if state.error is not None}
    if console.json_mode():
        data = {
            state.pair.name: {"state": state.state, "why": list(state.why), "path": str(state.pair.bundle)}
            for state in states
        }
        console.document("edgekit.status/1", data, error=worst(errors.values()))
    rows = [(state.pair.model, state.pair.target.name, state.state, "; ".join(state.why)) for state in states]
    console.table("", ("model", "target", "state", "why"), rows)
    work = sum(state.state in ("stale", "missing") for state in states)
    console.out(f"next: edgekit build makes {work} of {len(states)}" if work else "nothing to build")
    _project.raise_worst(errors)
