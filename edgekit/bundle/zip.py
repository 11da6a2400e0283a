"""Zip a bundle so that identical folders give identical bytes."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import zipfile
from pathlib import Path

from edgekit import console
from edgekit.bundle import aside, files
from edgekit.bundle.seal import FILE_MODE
from edgekit.bundle.verify import verified
from edgekit.contract.manifest import NAME, Manifest
from edgekit.errors import BuildError, UsageError

# The data of weights starts at a multiple of the largest page of today's phones (Android 15, iOS), so that a
# reader can map it where it lies. 64 KiB is not to be had: its widest padding does not fit an extra field.
ALIGN = 16 * 2**10
_PADDING = 0xD935  # the extra field that Android's apksigner pads with: the alignment (uint16), then zeros
_LOCAL_HEADER, _ZIP64 = 30, 20  # bytes of a file's header, and of the field for sizes beyond 4 GiB
_LARGE = 2_000_000_000  # bytes; below zipfile's own limit, so that our choice is the one that counts
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can tell; a bundle has none
_CHUNK = 2**20


def archived(bundle: Path) -> Path:
    """Write NAME.zip beside a bundle; returns its path, and raises as `zip_bundle` does."""
    archive = bundle.with_name(f"{bundle.name}.zip")
    with console.step("writing the zip"):
        zip_bundle(bundle, archive)
    return archive


def zip_bundle(folder: Path, out: Path) -> Manifest:
    """Write the bundle in `folder` to the archive `out`.

    edgekit.json comes first, then the names in order; no times, no owners. Files are stored, not packed:
    weights hardly pack, stored ones can be mapped, and packed bytes depend on the version of zlib.

    Raises:
        BundleError: the folder is not a whole bundle.
        UsageError: `out` exists and is not a zip, or cannot be written.
        BuildError: the disk is full.
    """
    manifest = verified(folder)
    out = Path(os.path.realpath(out))  # a link stays, what it leads to is replaced
    if os.path.lexists(out) and not (out.is_file() and zipfile.is_zipfile(out)):
        raise UsageError(f"{out} exists and is not a zip", next="move it away, or give another path")
    found = files.Folder(folder)
    with aside.workspace(out) as room, aside.writing(f"writing {out}", otherwise=BuildError):
        new = room / "new"
        with zipfile.ZipFile(new, "w") as archive:
            for path in [NAME, *sorted(found.sizes.keys() - {NAME})]:
                _add(archive, path, folder / path)
        aside.sync(new)
        aside.replace(new, out, room)
    return manifest


def _add(archive: zipfile.ZipFile, path: str, origin: Path) -> None:
    info = zipfile.ZipInfo(path, _EPOCH)
    info.create_system = 3  # Unix, wherever it is made
    info.external_attr = (stat.S_IFREG | FILE_MODE) << 16
    info.file_size = origin.stat().st_size
    if info.file_size >= ALIGN:
        header = _LOCAL_HEADER + len(path.encode()) + (_ZIP64 if info.file_size > _LARGE else 0)
        gap = -(archive.start_dir + header + 6) % ALIGN
        info.extra = struct.pack("<HHH", _PADDING, 2 + gap, ALIGN) + bytes(gap)
    with origin.open("rb") as source, archive.open(info, "w", force_zip64=info.file_size > _LARGE) as sink:
        shutil.copyfileobj(source, sink, _CHUNK)
    info.extra = b""  # the directory at the end needs no padding
