"""Recommend a language model for a task on a device, with the reasons.

What does not fit, cannot be built or would be too slow is named with its reason too.
"""

from __future__ import annotations

from typing import get_args

import click

from edgekit import console
from edgekit.catalog.member import Task
from edgekit.commands import _where


@click.command()
@click.option("--task", type=click.Choice(get_args(Task)), required=True, help="What the model is to do.")
@_where.options
@click.option("--min-tps", type=click.FloatRange(min=0), help="Tokens a second of an answer, at least.")
def command(
    task: Task, on: str | None, ram: str | None, context: int | None, into: str | None, min_tps: float | None
) -> None:
    """Rank the models of the catalogue for a task on a device."""
    from edgekit.catalog import device
    from edgekit.commands import _fit
    from edgekit.errors import UsageError
    from edgekit.fit import estimate, recommend

    if on is None and ram is None and into is None:
        raise UsageError("recommend asks where", next="give --device 'Pixel 9', --ram 6GB or --target linux-cpu")
    there = device.find(on) if on is not None else None
    memory = estimate.size(ram) if ram is not None else None
    choices = recommend.recommend(task, estimate.chosen(there, into), there, memory, context, min_tps)
    if console.json_mode():
        names = ("recommended", "left_out")
        shown = {name: [_fit.choice(each) for each in part] for name, part in zip(names, choices, strict=True)}
        console.document("edgekit.recommend/1", {"task": task, **shown})
    else:
        _fit.show_choices(task, *choices)
