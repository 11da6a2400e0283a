"""Where a model is to run, as `fit` and `recommend` ask: a device or its memory, the context, the target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from edgekit.commands import _offered

_OPTIONS = (
    click.option(
        "--device",
        "on",
        shell_complete=_offered.devices,
        help="A phone, board or PC, as 'Pixel 9', or a card's .toml file.",
    ),
    click.option("--ram", help="Memory of the device instead, as 6GB; wins over the device's own."),
    click.option("--context", type=int, help="Tokens of prompt and answer; the target's max_length by default."),
    click.option(
        "--target",
        "into",
        shell_complete=_offered.targets,
        help="A target's name or .toml file; the device's own CPU by default.",
    ),
)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options on, ram, context and into, in this order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
