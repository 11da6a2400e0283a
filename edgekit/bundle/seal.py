"""Seal a staged bundle: put every byte in the manifest, make it read-only, rename it into place."""

from __future__ import annotations

import stat
from pathlib import Path

from edgekit.bundle import aside, files
from edgekit.bundle.manifest import NAME, File, Manifest, seal_digest
from edgekit.bundle.read import parse, place
from edgekit.bundle.stage import write
from edgekit.bundle.verify import references
from edgekit.data import jsonable, pretty
from edgekit.errors import BuildError

# Files are read-only; folders are not, or `rm -r` and a rebuild would need chmod first.
FILE_MODE = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
FOLDER_MODE = stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH
_REPORT = "this is a bug in edgekit: please report it with what --verbose prints"


def seal(staged: Path, draft: Manifest, destination: Path, *, force: bool = False) -> Manifest:
    """Turn a staged folder into the bundle at `destination`; an earlier bundle of the same name is replaced.

    Args:
        staged: `new` in an `aside.workspace(destination)`, filled by `stage` and the check data.
        draft: the manifest as it shall be, but for `files` and `sha256`.
        force: replace also what is not an earlier bundle of this name.

    Raises:
        BuildError: the staged folder holds what no bundle may hold; a full disk.
        BundleError: the manifest would be refused by a strict reader.
        UsageError: something else lies at the destination.
    """
    aside.check_destination(destination, draft.name, force=force)
    with aside.writing("sealing the bundle", otherwise=BuildError):
        manifest = _manifest(staged, draft)
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


def _manifest(staged: Path, draft: Manifest) -> Manifest:
    """The draft with its files and digest, as a strict reader reads it back."""
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
    for path in paths:
        if path.endswith(".onnx") and (wrong := references(found, path, found.sizes)):
            raise BuildError(f"the built model is not self-contained: {wrong[0]}", next=_REPORT)
    data = jsonable(draft.model_copy(update={"files": tuple(listed), "sha256": ""}))
    data["sha256"] = seal_digest(data)
    return parse(pretty(data).encode(), strict=True)
