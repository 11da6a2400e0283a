"""What lies in a folder or an archive of anybody's: names, sizes, and bytes that are read, never unpacked.

A member of an archive is read into memory or into a scratch file without its name, so a name leads nowhere; what a
member may grow to is bounded before a byte of it is read.
"""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from edgekit.bundle import files
from edgekit.errors import BundleError, from_oserror

MAX_ENTRIES = 100_000
MAX_MEMBER = 4 * 2**30  # bytes; no binary of an app is larger, and a store takes none
SMALL = 16 * 2**20  # bytes; below this no ratio is worth a refusal
MAX_TEXT = 8 * 2**20  # bytes of a manifest, a property list
GIVE = "give a bundle, an .aar, an .apk, an .ipa, an .xcframework, or a folder with some of them"
_HEADER = struct.Struct("<26xHH")  # of a member: the lengths of its name and its extra field end the fixed part


class Unreadable(Exception):
    """A file that cannot be read as what it claims to be; its text is the reason."""


@dataclass(frozen=True)
class Entry:
    """One file: its bytes, and whether an archive holds them as they are."""

    size: int
    stored: bool = True


class Files(Protocol):
    """A view of files.

    Attributes:
        entries: the regular files by path, with forward slashes.
        unsafe: why some names are not among them: they lead outside, or are links.
    """

    entries: dict[str, Entry]
    unsafe: dict[str, str]

    def open(self, path: str) -> IO[bytes]:
        """The bytes of a file, which can be sought in; Unreadable where there are none to be had."""

    def offset(self, path: str) -> int | None:
        """Where its bytes begin in the archive; None in a folder."""


class Folder:
    """The files of a folder; links are not followed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.entries: dict[str, Entry] = {}
        self.unsafe: dict[str, str] = {}
        folders = [""]
        while folders:
            at = folders.pop()
            with os.scandir(root / at) as listed:
                for entry in sorted(listed, key=lambda entry: entry.name):
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{at}{entry.name}/")
                    elif entry.is_file(follow_symlinks=False):
                        self.entries[f"{at}{entry.name}"] = Entry(entry.stat(follow_symlinks=False).st_size)
            if len(self.entries) > MAX_ENTRIES:
                raise BundleError(f"{root} has more than {MAX_ENTRIES:,} files", next="name the folder that ships")

    def open(self, path: str) -> IO[bytes]:
        """See Files.open."""
        try:
            return (self._root / path).open("rb")
        except OSError as error:
            raise Unreadable(f"it cannot be opened: {error.strerror or error}") from None

    def offset(self, path: str) -> int | None:
        """See Files.offset."""
        return None


class Archive:
    """The files of a zip, as .aar, .apk, .jar and .ipa are."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        members = archive.infolist()
        if len(members) > MAX_ENTRIES:
            raise BundleError(f"the archive has more than {MAX_ENTRIES:,} members", next=GIVE)
        self.unsafe = {info.filename: why for info in members if (why := _why_unsafe(info))}
        self._infos = {info.filename: info for info in members if info.filename not in self.unsafe}
        self.entries = {
            path: Entry(info.file_size, info.compress_type == zipfile.ZIP_STORED)
            for path, info in self._infos.items()
            if not info.is_dir()
        }

    def open(self, path: str) -> IO[bytes]:
        """See Files.open; the bytes lie in a scratch file that has no name."""
        info = self._infos[path]
        if info.flag_bits & 0x41:
            raise Unreadable("it is encrypted")
        grown = info.file_size > SMALL and info.file_size > files.MAX_RATIO * max(info.compress_size, 1)
        if info.file_size > MAX_MEMBER or grown:
            raise Unreadable(f"it would unpack {info.compress_size} bytes into {info.file_size}")
        copy = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            with self._archive.open(info) as packed:
                shutil.copyfileobj(packed, copy, 2**20)
        except (*files.DAMAGED, BundleError, zipfile.LargeZipFile, ValueError, OSError) as error:
            copy.close()
            raise Unreadable(f"it cannot be unpacked: {str(error)[:120]}") from None
        copy.seek(0)
        return copy

    def offset(self, path: str) -> int | None:
        """See Files.offset."""
        stream, start = self._archive.fp, int(self._infos[path].header_offset)
        assert stream is not None
        stream.seek(start)
        header = stream.read(_HEADER.size)
        if len(header) < _HEADER.size:
            raise Unreadable("its header is cut off")
        name, extra = _HEADER.unpack(header)
        return start + _HEADER.size + int(name) + int(extra)


class Below:
    """The files below a folder of another view, by their paths from there, but for those of some paths."""

    def __init__(self, whole: Files, prefix: str, but: tuple[str, ...] = ()) -> None:
        self._whole, self._prefix = whole, prefix
        self.unsafe: dict[str, str] = {}
        self.entries = {
            path[len(prefix) :]: entry
            for path, entry in whole.entries.items()
            if path.startswith(prefix) and not path.startswith(but)
        }

    def open(self, path: str) -> IO[bytes]:
        """See Files.open."""
        return self._whole.open(self._prefix + path)

    def offset(self, path: str) -> int | None:
        """See Files.offset."""
        return self._whole.offset(self._prefix + path)


@contextmanager
def opened(path: Path) -> Iterator[Files]:
    """The files of what the user names.

    Raises:
        BundleError: neither a folder nor a zip, or one that is damaged.
    """
    try:
        if path.is_dir():
            yield Folder(path)
        elif path.is_file():
            with files.Bounded(path) as stream, files.zip_of(stream) as archive:
                yield Archive(archive)
        else:
            raise BundleError(f"nothing to look at: {path} does not exist", next=GIVE)
    except files.DAMAGED as error:
        raise BundleError(f"{path} is no folder and no whole zip: {str(error)[:120]}", next=GIVE) from None
    except OSError as error:
        raise from_oserror(error, f"reading {path}", otherwise=BundleError) from None


@contextmanager
def inside(view: Files, path: str) -> Iterator[Files]:
    """The files of an archive among others; Unreadable where it is none."""
    with tempfile.TemporaryDirectory() as room:
        copy = Path(room, "archive")
        with view.open(path) as packed, copy.open("wb") as sink:
            shutil.copyfileobj(packed, sink, 2**20)
        try:
            with files.Bounded(copy) as stream, files.zip_of(stream) as archive:
                yield Archive(archive)
        except (*files.DAMAGED, BundleError) as error:
            raise Unreadable(f"it is no whole zip: {str(error)[:120]}") from None


def _why_unsafe(info: zipfile.ZipInfo) -> str:
    """Why a member's name may not be one of a file; empty where it may."""
    path = PurePosixPath(info.filename)
    if path.is_absolute() or ".." in path.parts or any(sign in info.filename for sign in "\\\0") or not path.parts:
        return "its name leads out of the folder it is unpacked to"
    if info.external_attr >> 28 == 0o12:
        return "it is a link"
    return ""
