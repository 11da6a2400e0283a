"""Projects of small apps that embed a bundle, one file a platform: `edgekit sample android --bundle B -o DIR`.

A platform's file has OS, the bundles that it takes by what they do (DOES), what to give where that is another (ADVICE),
and `project(bundle)`: a Project.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit import console, registry
from edgekit.bundle import files as bundle_files
from edgekit.bundle.aside import check_writable, replace, workspace, writing
from edgekit.bundle.read import REBUILD, parse
from edgekit.bundle.stage import copy, files_of, write
from edgekit.bundle.verify import problems
from edgekit.contract.manifest import Manifest
from edgekit.errors import BuildError, BundleError, UsageError
from edgekit.sample._project import CHAT, CLASSIFY, INFER, Project, Whole

__all__ = ["CHAT", "CLASSIFY", "INFER", "Made", "make", "platforms"]

_WORDS = {CHAT: "chats with", CLASSIFY: "classifies pictures by", INFER: "feeds tensors to"}
_SPARE = 1 << 26  # bytes on the disk, for sources and for what a file system rounds up


@dataclass(frozen=True)
class Made:
    """A project that was made: its folder, its files' number and bytes, what comes next, and more for scripts."""

    path: str
    platform: str
    bundle: str
    does: str
    files: int
    bytes: int
    steps: tuple[str, ...]
    facts: dict[str, Any]


def platforms() -> list[str]:
    """The platforms that there are samples for."""
    return registry.members("edgekit.sample")


def make(platform: str, bundle: Path, out: Path) -> Made:
    """Make the project of a platform's sample, with the bundle (a folder or a .zip) in it.

    Raises:
        UsageError: the folder `out` is there already, or cannot be made.
        BundleError: the bundle is not whole, for another platform, or nothing that the sample's app can use.
        BuildError: the disk has not the room; then nothing is written.
    """
    if os.path.lexists(out):
        raise UsageError(f"{out} exists", next="name a folder with -o that is not there yet")
    check_writable(out.parent)
    member = registry.member("edgekit.sample", platform)
    with bundle_files.opened(bundle) as inside:
        manifest = parse(inside.manifest)
        whole = Whole(manifest, inside)
        _refuse(platform, member, whole)
        with console.step(f"verifying {manifest.name}"):
            if wrong := problems(inside, manifest, allow_stripped=True):
                raise BundleError(f"{bundle} is not whole: {wrong[0]}", next=REBUILD)
        project: Project = member.project(whole)
        _check_disk(out, sum(whole.files.sizes[path] for path in project.places))
        with workspace(out) as room, writing(f"writing {out}", otherwise=BuildError):
            with console.step(f"writing {out}"):
                _write(room / "new", project, whole)
            if os.path.lexists(out):  # made by another meanwhile
                raise UsageError(f"{out} exists", next="name a folder with -o that is not there yet")
            written = [path.stat().st_size for path in (room / "new").rglob("*") if path.is_file()]
            replace(room / "new", out, room)
    number, size = len(written), sum(written)
    return Made(str(out), platform, manifest.name, whole.does, number, size, project.steps, dict(project.facts))


def _refuse(platform: str, member: Any, bundle: Whole) -> None:
    manifest: Manifest = bundle.manifest
    if manifest.target.os != member.OS:
        raise BundleError(
            f"{manifest.name} is built for {manifest.target.name} ({manifest.target.os}), not for {platform}",
            next=f"build it for a target of {platform} (edgekit targets), or: edgekit sample {manifest.target.os} ...",
        )
    if bundle.does not in member.DOES:
        can = " or ".join(f"{_WORDS[each]} a bundle" for each in member.DOES)
        raise BundleError(f"the app for {platform} {can}; {manifest.name} is for none of that", next=member.ADVICE)


def _check_disk(out: Path, size: int) -> None:
    there = next(path for path in out.absolute().parents if path.exists())
    free = shutil.disk_usage(there).free
    if free < size + _SPARE:
        raise BuildError(
            f"the project takes {(size + _SPARE) / 1e6:.0f} MB, and {there} has {free / 1e6:.0f} MB free",
            next="free space or choose another folder with -o",
        )


def _write(folder: Path, project: Project, bundle: Whole) -> None:
    for place, origin in project.sources.items():
        for part, path in files_of(origin):
            copy(path, folder / place / part)
    for place, text in {project.licences: bundle.licences(), **project.texts}.items():
        write(folder / place, text)
    for inside, place in project.places.items():
        to = folder / place
        to.parent.mkdir(parents=True, exist_ok=True)
        with bundle.files.open(inside) as source, to.open("xb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
