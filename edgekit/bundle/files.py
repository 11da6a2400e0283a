"""The files of a bundle, a folder or a .zip: their sizes, their bytes, and what does not belong there.

A zip may come from anybody: everything in its directory is checked before a byte of it is unpacked.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal, NoReturn, Protocol, cast

from edgekit.bundle import read
from edgekit.contract.manifest import NAME
from edgekit.errors import BundleError, from_oserror
from edgekit.wrappers.python import paths

MAX_ENTRIES = 10_000
MAX_RATIO = 100  # unpacked to packed; weights pack by 2, sparse ones by 10, a bomb by 1000
_SMALL = 16 * 2**20  # bytes; below this no ratio is worth a refusal
MAX_READ = 8 * 2**20  # bytes at once; the directory of MAX_ENTRIES entries is smaller
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)  # what reading a damaged zip raises


@dataclass(frozen=True)
class Problem:
    """What is wrong with one file of a bundle."""

    path: str
    what: Literal["changed", "missing", "extra", "link", "special file", "unsafe"]
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.path!r}" + (f" ({self.detail})" if self.detail else "")


class Files(Protocol):
    """A view of a bundle's files.

    Attributes:
        sizes: bytes by path of every regular file, edgekit.json among them.
        odd: links and special files; they are never followed or opened.
        manifest: the bytes of edgekit.json, as many as a reader takes and one more; BundleError without one.
    """

    sizes: dict[str, int]
    odd: list[Problem]

    @property
    def manifest(self) -> bytes: ...

    def open(self, path: str) -> BinaryIO:
        """The bytes of one of the files in `sizes`."""


class Folder:
    """The files of a bundle's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sizes: dict[str, int] = {}
        self.odd: list[Problem] = []
        folders = [""]
        while folders:
            at = folders.pop()
            with os.scandir(root / at) as entries:
                folders += [f"{at}{entry.name}/" for entry in entries if self._add(f"{at}{entry.name}", entry)]

    def _add(self, path: str, entry: os.DirEntry[str]) -> bool:
        """Note one entry; True when it is a folder to look into."""
        if entry.is_symlink():
            self.odd.append(Problem(path, "link", "a bundle holds none"))
        elif entry.is_dir(follow_symlinks=False):
            return True
        elif entry.is_file(follow_symlinks=False):
            self.sizes[path] = entry.stat(follow_symlinks=False).st_size
        else:
            self.odd.append(Problem(path, "special file", "a bundle holds none"))
        return False

    @cached_property
    def manifest(self) -> bytes:
        return read.raw_manifest(self.root)

    def open(self, path: str) -> BinaryIO:
        return (self.root / path).open("rb")


class Zip:
    """The files of a zipped bundle. Construction refuses a hostile archive; nothing is unpacked yet."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self.archive = archive
        self.odd: list[Problem] = []
        entries = archive.infolist()
        if len(entries) > MAX_ENTRIES:
            _refuse(f"it has more than {MAX_ENTRIES} entries")
        for entry in entries:
            why = _why_refused(entry)
            if why:
                _refuse(f"{entry.orig_filename[:120]!r}: {why}")
        if sum(entry.compress_size for entry in entries) > size:
            _refuse("its entries share bytes: together they are larger than the archive")
        if sum(entry.file_size for entry in entries) > max(_SMALL, MAX_RATIO * size):
            _refuse(f"it would unpack to more than {MAX_RATIO} times its size")
        entries = [entry for entry in entries if not entry.is_dir()]
        twice = paths.clash(entry.filename for entry in entries)
        if twice:
            _refuse(f"{twice[:240]} are the same to some file systems")
        self.sizes = {entry.filename: entry.file_size for entry in entries}

    @cached_property
    def manifest(self) -> bytes:
        if NAME not in self.sizes:
            raise BundleError(f"{self.archive.filename} is not a bundle: it has no {NAME}", next=read.GIVE)
        with self.open(NAME) as stream:
            return stream.read(read.MAX_BYTES + 1)

    def open(self, path: str) -> BinaryIO:
        return cast(BinaryIO, self.archive.open(path))


@contextmanager
def opened(bundle: Path) -> Iterator[Files]:
    """The files of the bundle at `bundle`, a folder or a .zip.

    Raises:
        BundleError: neither; a damaged or hostile zip, also where that shows only while it is read.
    """
    try:
        if bundle.is_dir():
            yield Folder(bundle)
        elif bundle.is_file():
            with Bounded(bundle) as stream, zip_of(stream) as archive:
                yield Zip(archive, bundle.stat().st_size)
        else:
            raise BundleError(f"no bundle at {bundle}", next=read.GIVE)
    except DAMAGED as error:
        step = read.REBUILD if bundle.suffix == ".zip" else read.GIVE
        raise BundleError(f"{bundle} is not a whole zip: {str(error)[:120]}", next=step) from None
    except OSError as error:
        raise from_oserror(error, f"reading {bundle}", otherwise=BundleError) from None


def digests(files: Files, wanted: Sequence[str]) -> list[str]:
    """sha256 (hex) of each wanted file, in their order; "" for one that a damaged archive cannot give.

    Hashing runs beside reading the next file, on up to four threads: hashlib lets go of the interpreter.
    """
    pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1))
    try:
        return list(pool.map(lambda path: _digest(files, path), wanted))
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C does not hash the rest


def _digest(files: Files, path: str) -> str:
    try:
        with files.open(path) as stream:
            return hashlib.file_digest(cast(Any, stream), "sha256").hexdigest()
    except DAMAGED:
        return ""


class Bounded(io.FileIO):
    """A file that is never read whole: a zip's directory of absurd size ends here, not in the memory."""

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(MAX_READ + 1 if size is None or size < 0 else min(size, MAX_READ + 1))
        if data is not None and len(data) > MAX_READ:
            _refuse(f"its directory is larger than {MAX_READ // 2**20} MiB")
        return data or b""


def zip_of(stream: io.FileIO) -> zipfile.ZipFile:
    """The archive in a file; BadZipFile, whatever is wrong with it."""
    try:
        return zipfile.ZipFile(stream)
    except (ValueError, OverflowError, struct.error, OSError) as error:  # what zipfile makes of damage
        raise zipfile.BadZipFile(str(error)) from None


def _why_refused(entry: zipfile.ZipInfo) -> str:
    """Why an archive's entry may not be unpacked; "" when it may."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if entry.flag_bits & 0x41:
        return "it is encrypted"
    if kind not in (0, stat.S_IFDIR if entry.is_dir() else stat.S_IFREG):
        return "it is a link or a special file"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "it is packed by a method that not every system has"
    if entry.compress_type == zipfile.ZIP_STORED and entry.file_size != entry.compress_size:
        return "its two sizes differ"
    return paths.why_unsafe(entry.orig_filename.removesuffix("/"))


def _refuse(why: str) -> NoReturn:
    raise BundleError(f"the zip cannot be used: {why}", next=read.REBUILD)
