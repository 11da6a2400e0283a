"""Zip a bundle so that identical folders give identical bytes, and unzip one that may come from anybody."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import struct
import zipfile
from pathlib import Path

from edgekit.bundle import aside, files
from edgekit.bundle.manifest import NAME, Manifest
from edgekit.bundle.read import REBUILD, parse
from edgekit.bundle.seal import FILE_MODE, freeze
from edgekit.bundle.verify import verified, verify
from edgekit.errors import BuildError, BundleError, UsageError

# The data of weights starts at a multiple of the largest page of today's phones (Android 15, iOS), so that a
# reader can map it where it lies. 64 KiB is not to be had: its widest padding does not fit an extra field.
ALIGN = 16 * 2**10
_PADDING = 0xD935  # the extra field that Android's apksigner pads with: the alignment (uint16), then zeros
_LOCAL_HEADER, _ZIP64 = 30, 20  # bytes of a file's header, and of the field for sizes beyond 4 GiB
_LARGE = 2_000_000_000  # bytes; below zipfile's own limit, so that our choice is the one that counts
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can tell; a bundle has none
_CHUNK = 2**20


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


def unzip_bundle(archive: Path, folder: Path, *, force: bool = False) -> Manifest:
    """Unpack a zipped bundle to `folder`, which then is whole, verified and read-only.

    Raises:
        BundleError: the archive is hostile or damaged, or holds anything but exactly one whole bundle.
        UsageError: `folder` exists and is not an earlier bundle of the same name.
        BuildError: the disk is full, or would be.
    """
    with files.opened(archive) as found:
        manifest = parse(found.manifest)
        sizes = {file.path: file.size for file in manifest.files} | {NAME: found.sizes[NAME]}
        for path in sorted(sizes.keys() | found.sizes.keys()):
            if sizes.get(path) != found.sizes.get(path):
                raise BundleError(f"{archive}: {path!r} is not as its manifest says", next=REBUILD)
        aside.check_destination(folder, manifest.name, force=force)
        with aside.workspace(folder) as room, aside.writing(f"unpacking {archive}", otherwise=BuildError):
            if sum(sizes.values()) > shutil.disk_usage(room).free:  # a lie of terabytes fails at once
                raise OSError(errno.ENOSPC, "no space", str(folder))
            new = room / "new"
            for path in sizes:
                (new / path).parent.mkdir(parents=True, exist_ok=True)
                with found.open(path) as source, (new / path).open("xb") as sink:
                    shutil.copyfileobj(source, sink, _CHUNK)
            wrong = verify(new)
            if wrong:
                raise BundleError(f"{archive} is not whole: {wrong[0]}", next=REBUILD)
            freeze(new)
            aside.replace(new, folder, room)
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
