"""The ladder of `--recipe auto`: a table, a plot, a part of the JSON document, and the error where it ends in none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.errors import EdgekitError
    from edgekit.search import Ladder


def rows(ladder: Ladder) -> list[list[str]]:
    """For a table: recipe, megabytes, the metric, what came of it."""
    return [
        [
            rung.label,
            "" if rung.model_mb is None else f"{rung.model_mb:.1f}",
            f"{rung.values[ladder.metric]:.4g}" if ladder.metric in rung.values else "",
            "chosen" if rung.outcome == "pass" else f"{rung.outcome}: {rung.reason}",
        ]
        for rung in ladder.rungs
    ]


def plain(ladder: Ladder) -> dict[str, Any]:
    """For the JSON document."""
    from edgekit.data import jsonable

    return {
        "model": ladder.model,
        "target": ladder.target,
        "metric": ladder.metric,
        "limit": jsonable(ladder.limit) if ladder.limit else None,
        "rungs": [vars(rung) for rung in ladder.rungs],
        "chosen": ladder.rungs[-1].label if ladder.built else None,
    }


def plot(ladder: Ladder, folder: Path) -> Path | None:
    """Size against the metric, of the rungs that were measured; None, and no file, where none was."""
    from edgekit import output
    from edgekit.report import frontier
    from edgekit.report.frontier import Point

    points = [
        Point(rung.label, rung.model_mb, rung.values[ladder.metric], chosen=rung.outcome == "pass")
        for rung in ladder.rungs
        if rung.model_mb is not None and ladder.metric in rung.values
    ]
    if not points:
        return None
    path = folder / f"{ladder.model}-{ladder.target}.recipes.svg"
    path.parent.mkdir(parents=True, exist_ok=True)
    limit = None if ladder.limit is None else ladder.limit.max or ladder.limit.min
    title = f"{ladder.model} for {ladder.target}"
    output.write(path, frontier.draw({"recipes": points}, title=title, metric=ladder.metric, limit=limit))
    return path


def error(ladder: Ladder) -> EdgekitError | None:
    """Why there is no bundle: nothing passes, or only what is too large does not fail."""
    from edgekit.errors import OverBudget, QualityError
    from edgekit.search import BUDGET

    if ladder.built is not None:
        return None
    tried = ", ".join(f"{rung.label} ({rung.outcome})" for rung in ladder.rungs)
    if any(rung.outcome == "over-budget" for rung in ladder.rungs):
        return OverBudget(
            f"no recipe passes the gate within the budget of {ladder.model} for {ladder.target}: {tried}",
            next=f"raise {BUDGET}, take a smaller model, or a limit that this one can meet (--limit)",
        )
    return QualityError(
        f"no recipe passes the gate of {ladder.model} for {ladder.target}: {tried}",
        next="the last rung's reason says what is wrong with the model itself; --recipe NAME builds one of them",
    )
