"""Code that a stranger could hide in a bundle. None of it is ever executed; it is called by its name all the same.

A bundle holds data, and below runtime/ the face that its target names (edgekit/faces). Whoever writes the files writes
the manifest too, so a digest that is right there says nothing: the face is compared with this edgekit's own, and
anything that Python, a loader or a shell would execute is unsafe wherever it lies.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Literal

from edgekit import __version__, faces, programs
from edgekit.bundle.files import DAMAGED, Files, Problem
from edgekit.bundle.stage import RUNTIME
from edgekit.contract.manifest import Manifest

Likeness = Literal["same", "another", "none"]


def unsafe(found: Files, manifest: Manifest, *, trust: bool = False, but: Collection[str] = ()) -> Iterator[Problem]:
    """Every file that is code and does not belong, by its place, its name or its first bytes.

    Args:
        trust: the runtime that the manifest lists may be any.
        but: paths that another problem was found with.
    """
    listed, ours = {file.path for file in manifest.files}, own(manifest)
    for path in sorted(found.sizes.keys() - set(but)):
        if programs.folded(path.partition("/")[0]) == RUNTIME:
            why = "" if trust and path in listed else _why_no_runtime(found, manifest, path, path in listed, ours)
        else:
            why = _why_code(found, path)
        if why:
            yield Problem(path, "unsafe", why)


def likeness(found: Files, manifest: Manifest) -> Likeness:
    """The runtime of a bundle beside this edgekit's: byte for byte the same, another one, or none."""
    there = {path for path in found.sizes if path.startswith(f"{RUNTIME}/")}
    if not there:
        return "none"
    ours = own(manifest)
    same = there == ours.keys() and all(_is_own(found, path, ours) for path in there)
    return "same" if same else "another"


def own(manifest: Manifest) -> dict[str, Path | str]:
    """What this edgekit would put below runtime/ of this bundle, by path."""
    return {f"{RUNTIME}/{inside}": origin for inside, origin in faces.staged(manifest).items()}


def _why_no_runtime(found: Files, manifest: Manifest, path: str, listed: bool, ours: Mapping[str, Path | str]) -> str:
    """Why a file below runtime/ does not belong there; "" for this edgekit's own, or one of another version's."""
    if not listed:
        return "it lies below runtime/ and is not in the manifest"
    face = faces.find(manifest.target.face)
    if face is None or not face.has(path.removeprefix(f"{RUNTIME}/")):
        return f"it is no file of the face {manifest.target.face[:40]!r}, and would be taken for one"
    if _is_own(found, path, ours) or manifest.tools.get("edgekit") != __version__:
        return ""
    return f"it is not the file that edgekit {__version__}, named as the builder, ships"


def _is_own(found: Files, path: str, ours: Mapping[str, Path | str]) -> bool:
    if path not in ours:
        return False
    origin = ours[path]
    raw = origin.encode() if isinstance(origin, str) else origin.read_bytes()
    try:
        with found.open(path) as stream:
            return len(raw) == found.sizes[path] and stream.read(len(raw)) == raw
    except DAMAGED:
        return False


def _why_code(found: Files, path: str) -> str:
    if programs.by_name(path):
        return "a program, a library or a module: a bundle has none but its runtime"
    try:
        with found.open(path) as stream:
            return programs.by_bytes(stream.read(programs.HEAD))
    except DAMAGED:
        return ""  # its digest tells
