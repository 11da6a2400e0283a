"""Estimate what a model takes on a device: size, memory by part, speed, limits, and its build.

Nothing is downloaded and nothing is built; every figure says whether it is published or estimated.
"""

from __future__ import annotations

import click

from edgekit import console
from edgekit.commands import _offered, _where


@click.command()
@click.argument("model", shell_complete=_offered.models)
@_where.options
def command(model: str, on: str | None, ram: str | None, context: int | None, into: str | None) -> None:
    """Estimate what MODEL takes on a device, from its card or its config.json alone.

    MODEL is a member of the catalogue (edgekit models), a folder with a config.json, that file, or a .gguf file. An
    estimate is no verdict: the exit code is 0 whatever the answer is.
    """
    from edgekit.catalog import device
    from edgekit.commands import _fit
    from edgekit.errors import UsageError
    from edgekit.fit import estimate

    if on is None and ram is None:
        raise UsageError("fit asks where", next="give --device 'Pixel 9' or --ram 6GB")
    there = device.find(on) if on is not None else None
    described, card = estimate.described(model)
    memory = estimate.size(ram) if ram is not None else None
    taken = estimate.fit(described, card, there, memory, estimate.chosen(there, into), context)
    if console.json_mode():
        console.document("edgekit.fit/1", _fit.plain(taken))
    else:
        _fit.show(taken)
