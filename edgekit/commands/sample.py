"""Make the project of a small app with a bundle in it: Android, iOS, Windows or Linux."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit import console, registry
from edgekit.commands._places import PLACE


@click.command()
@click.argument("platform", type=click.Choice(registry.listed("edgekit.sample")))
@click.option("--bundle", required=True, type=PLACE, help="A folder or a .zip of edgekit build.")
@click.option("-o", "--output", "out", required=True, type=PLACE, help="A new folder.")
def command(platform: str, bundle: Path, out: Path) -> None:
    """Make a project for PLATFORM, ready to open: a small app with the bundle, edgekit's sources and the licences.

    It chats with a language model, or classifies pictures. What each sample is, and what of it was run where, is in
    mobile_samples/README.md. Exit 2: the folder is there already; 6: the bundle is damaged, or of no use to this app.
    """
    from dataclasses import asdict

    from edgekit import sample

    made = sample.make(platform, bundle, out)
    if console.json_mode():
        console.document("edgekit.sample/1", asdict(made))
    console.out(f"{made.path}: {made.bundle} in {made.files} files, {made.bytes / 1e6:.1f} MB")
    for step in made.steps:
        console.out(f"  {step}")
