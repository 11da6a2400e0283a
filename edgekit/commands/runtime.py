"""Pack the runtime as the one-line dependency that an app's own build takes."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from edgekit import console, registry
from edgekit.commands._places import PLACE


def _platforms(ctx: click.Context, option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in registry.listed("edgekit.packs") if name.startswith(incomplete)]


@click.group()
def command() -> None:
    """What an app embeds a bundle by."""


@command.command("pack")
@click.option("--for", "platform", required=True, shell_complete=_platforms, help="android, ios, jvm, linux, windows.")
@click.option("-o", "--output", "folder", type=PLACE, required=True, help="A new folder.")
@click.option("--abi", "abis", multiple=True, help="x86_64 or aarch64; repeatable. This machine's by itself.")
@click.option(
    "--engines",
    type=click.Path(path_type=Path, exists=True),
    help="The vendor's packages: an .aar for android, a folder of .xcframeworks for ios.",
)
@click.option("--engines-version", "version", help="Theirs, X.Y.Z, where the packages do not say it.")
def pack(platform: str, folder: Path, abis: tuple[str, ...], engines: Path | None, version: str | None) -> None:
    """Make the dependency by which an app takes edgekit's runtime: docs/embedding.md.

    What only another kit can compile (an NDK) is refused where there is none: exit 7, and nothing is written.
    """
    from edgekit import packs
    from edgekit.data import nearest
    from edgekit.errors import UsageError

    if platform not in packs.names():
        hint = nearest(platform, packs.names())
        raise UsageError(f"no pack for {platform!r}{hint}", next=f"--for: one of {', '.join(packs.names())}")
    made = packs.make(platform, folder, packs.Asked(abis, engines, version))
    if console.json_mode():
        data = {"platform": made.platform, "version": made.version, "path": str(made.folder)}
        console.document("edgekit.runtime.pack/1", {**data, "use": list(made.use), "notes": list(made.notes)})
        return
    console.out(f"{made.folder}: edgekit {made.version} for {made.platform}")
    for note in made.notes:
        console.out(note)
    for line in made.use:
        console.out(f"  {line}")
