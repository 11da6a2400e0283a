"""One-line dependencies: what an app adds to its build to embed bundles, a file here for each platform.

    DIR/pack.json    what it is, and of which edgekit; the rest is as the platform's own packages lie

A pack is made beside DIR and renamed into place: DIR holds all of it or what it held before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit import __version__, console, files, registry
from edgekit.bundle.aside import replace, workspace, writing
from edgekit.bundle.stage import copy, write
from edgekit.data import pretty
from edgekit.errors import BuildError, UsageError
from edgekit.wrappers.python.manifest import host_abi

NAME = "pack.json"
LICENSE = "Apache-2.0.txt"


@dataclass(frozen=True)
class Asked:
    """What a pack is made of besides edgekit's own sources.

    Attributes:
        abis: CPU architectures, as manifests name them; () for those that the platform has by itself.
        engines: the vendor's packages: an AAR, or a folder of xcframeworks.
        version: of the engines, where their packages do not say it.
    """

    abis: tuple[str, ...] = ()
    engines: Path | None = None
    version: str | None = None

    def abis_or_host(self) -> tuple[str, ...]:
        """The architectures that were asked for, or this machine's."""
        return self.abis or (host_abi(),)


@dataclass(frozen=True)
class Pack:
    """A pack that was made: where, for what, the lines by which an app takes it, and what is to be known of it."""

    folder: Path
    platform: str
    version: str
    use: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Made:
    """What a platform's file says of what it has put into the room: as in Pack."""

    use: tuple[str, ...]
    notes: tuple[str, ...] = ()


def names() -> list[str]:
    """The platforms, sorted."""
    return registry.members("edgekit.packs")


def make(platform: str, folder: Path, asked: Asked) -> Pack:
    """Make the pack for a platform in `folder`, which is new, empty, or an earlier pack for it.

    Raises:
        UsageError: something else lies there, or an option is not this platform's.
        ToolMissing: a compiler or a kit that this needs is not here; nothing is written.
        BuildError: a compiler fails, or the disk is full.
    """
    module = registry.member("edgekit.packs", platform)
    _check(folder, platform)
    module.ready(asked)
    write_into: Callable[[Path, Asked], Made] = module.write
    with workspace(folder) as room, console.step(f"packing the runtime for {platform}"):
        new = room / "new"
        with writing("packing", otherwise=BuildError):
            new.mkdir()
            made = write_into(new, asked)
            copy(files.resource("bundle/licenses") / LICENSE, new / "LICENSES" / LICENSE)
            said = {"platform": platform, "edgekit": __version__, "use": made.use, "notes": made.notes}
            write(new / NAME, pretty(said))
            replace(new, folder.absolute(), room)
    return Pack(folder, platform, __version__, made.use, made.notes)


def _check(folder: Path, platform: str) -> None:
    """Refuse to replace what is not an earlier pack for the same platform."""
    if not os.path.lexists(folder):
        return
    if not folder.is_symlink() and folder.is_dir() and (not any(folder.iterdir()) or _of(folder) == platform):
        return
    raise UsageError(f"{folder} exists and is no pack for {platform}", next="choose another folder with -o")


def _of(folder: Path) -> Any:
    try:
        return json.loads((folder / NAME).read_text(encoding="utf-8"))["platform"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
