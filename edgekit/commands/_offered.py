"""What a shell's completion offers where a word names something that edgekit knows; files stay the shell's matter."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

Items = list[CompletionItem]


def targets(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Targets by name, or a .toml file."""
    from edgekit import target

    return _with_files(target.names(), incomplete)


def models(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Models of the catalogue, or a file or folder."""
    from edgekit.catalog import cards

    return _with_files(cards.names(), incomplete)


def recipes(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Recipes by name, auto, or a .py file."""
    from edgekit import registry

    return _with_files(["auto", *registry.listed("edgekit.recipes")], incomplete)


def places(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """How the address of a device begins; which are attached is slow to ask."""
    from edgekit import registry

    kinds = registry.listed("edgekit.devices")
    return _words((kind if kind == "local" else f"{kind}:" for kind in kinds), incomplete)


def devices(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Phones, boards and PCs of the catalogue, or a card's file."""
    from edgekit.catalog import device

    return _with_files(device.names(), incomplete)


def _with_files(names: Iterable[str], incomplete: str) -> Items:
    return _words(names, incomplete) or [CompletionItem(incomplete, type="file")]


def _words(names: Iterable[str], incomplete: str) -> Items:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
