"""Seal a staged bundle: put every byte in the manifest, make it read-only, rename it into place."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from edgekit.bundle import aside, code, files
from edgekit.bundle.read import parse, place
from edgekit.bundle.stage import write
from edgekit.bundle.verify import unsafe
from edgekit.contract.manifest import NAME, Draft, File, Manifest, Quality, seal_digest
from edgekit.data import jsonable, pretty
from edgekit.errors import BuildError
from edgekit.results.partition import Partition

# Files are read-only; folders are not, or `rm -r` and a rebuild would need chmod first.
FILE_MODE = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
FOLDER_MODE = stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH
_REPORT = "this is a bug in edgekit: please report it with what --verbose prints"


def seal(
    staged: Path,
    draft: Draft,
    quality: Mapping[str, Quality],
    destination: Path,
    *,
    partition: Mapping[str, Partition] | None = None,
    force: bool = False,
) -> Manifest:
    """Turn a staged folder into the bundle at `destination`; an earlier bundle of the same name is replaced.

    Args:
        staged: `new` in an `aside.workspace(destination)`, filled by `stage` and the check data.
        draft, quality, partition: all that the manifest says but of its files.
        force: replace also what is not an earlier bundle of this name.

    Raises:
        BuildError: the staged folder holds what no bundle may hold; a full disk.
        BundleError: the manifest would be refused by a strict reader.
        UsageError: something else lies at the destination.
    """
    aside.check_destination(destination, draft.name, force=force)
    with aside.writing("sealing the bundle", otherwise=BuildError):
        manifest = _manifest(staged, draft, quality, partition or {})
        (staged / NAME).unlink(missing_ok=True)
        write(staged / NAME, pretty(jsonable(manifest)))
        freeze(staged)
        aside.replace(staged, destination, staged.parent)
    return manifest


def freeze(folder: Path) -> None:
    """Put every byte on the disk and make every file read-only."""
    for path in sorted(folder.rglob("*"), reverse=True):  # a folder after what it holds
        if path.is_dir():
            path.chmod(FOLDER_MODE)
            aside.sync(path)
        else:
            aside.sync(path)
            path.chmod(FILE_MODE)
    folder.chmod(FOLDER_MODE)
    aside.sync(folder)


def _manifest(
    staged: Path, draft: Draft, quality: Mapping[str, Quality], partition: Mapping[str, Partition]
) -> Manifest:
    """The draft with all that was found out about it, as a strict reader reads it back."""
    found = files.Folder(staged)
    if found.odd:
        raise BuildError(f"the staged bundle holds a {found.odd[0]}", next=_REPORT)
    paths = sorted(found.sizes.keys() - {NAME})
    listed = []
    for path, sha256 in zip(paths, files.digests(found, paths), strict=True):
        at = place(path)
        if at is None:
            raise BuildError(f"no place in a bundle for {path!r}", next=_REPORT)
        listed.append(File(path=path, size=found.sizes[path], sha256=sha256, role=at[0], variant=at[1]))
    unsealed = Manifest(**dict(draft), quality=dict(quality), partition=dict(partition), files=tuple(listed))
    if wrong := next(unsafe(found, unsealed, found.sizes, paths), None):
        raise BuildError(f"the built model is not self-contained: {wrong}", next=_REPORT)
    data = jsonable(unsealed)
    manifest = parse(pretty({**data, "sha256": seal_digest(data)}).encode(), strict=True)
    if strange := next(code.unsafe(found, manifest), None):
        raise BuildError(f"the staged bundle holds code: {strange}", next="rename that file of the model, or report it")
    return manifest
