"""Keep results of real devices, each held against its bundle."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit import console
from edgekit.commands._places import PLACE
from edgekit.errors import UsageError

ENDING = ".result.json"


@click.group()
def command() -> None:
    """Keep results of real devices: what the status of a target rests on."""


@command.command()
@click.argument("result", type=PLACE)
@click.option("--bundle", type=PLACE, help="The bundle; by default the folder beside RESULT.")
@click.option("--to", "folder", type=PLACE, help="The folder of results.  [default: docs/devices]")
def add(result: Path, bundle: Path | None, folder: Path | None) -> None:
    """Add RESULT, a result.json of edgekit check on a device, to docs/devices.

    It is held against its bundle: the bundle's digest, where and how it ran, and that it is a real device's.

    Exit code: 2 of another bundle, 6 the bundle is damaged, 11 it is no evidence of the device, with the reason.
    """
    from edgekit.project import evidence

    if bundle is None:
        if not result.name.endswith(ENDING):
            raise UsageError(f"{result.name} does not say which bundle it is of", next="give it: --bundle FOLDER")
        bundle = result.with_name(result.name.removesuffix(ENDING))
    path = evidence.add(result, bundle, folder or evidence.PLACE)
    if console.json_mode():
        console.document("edgekit.results.add/1", {"path": str(path)})
    console.out(f"added: {path}")
