"""Files out of a zip or a wheel that is not trusted: no way out of the folder, no links, twins or bombs."""

from __future__ import annotations

import errno
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from edgekit.errors import SourceError

SIZE_LIMIT = 64 << 30  # bytes unpacked
BOMB = 100  # no model file shrinks a hundredfold
SMALL = 16 << 20  # bytes under which the ratio says nothing
COUNT_LIMIT = 20_000  # members
# A name that is too long, or both a file and a folder: what is wrong is the archive, not the disk.
NAMES = (errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR)
REFUSE = "do not use this package"


def open_zip(path: Path) -> ZipFile:
    """The archive, once its directory has been looked through."""
    try:
        archive = ZipFile(path)
    except (BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise SourceError(
            f"{path.name} is not a readable archive ({str(error)[:120]})", next="download it again"
        ) from None
    names = [info.filename for info in archive.infolist()]
    if len(names) > COUNT_LIMIT or len(set(names)) != len(names):
        archive.close()
        raise SourceError(f"{path.name} has too many members, or two of one name", next=REFUSE)
    return archive


def unpack(archive: ZipFile, members: Iterable[ZipInfo], folder: Path, *, strip: str = "") -> None:
    """Write members into `folder`, without the leading path `strip`.

    Raises:
        SourceError: a member that leads outside, is a link or device, encrypted, damaged, or grows absurdly.
    """
    chosen = [info for info in members if not info.is_dir()]
    total = sum(info.file_size for info in chosen)
    packed = sum(info.compress_size for info in chosen)
    if total > SIZE_LIMIT or (total > SMALL and total > BOMB * max(packed, 1)):
        raise SourceError(f"the archive would unpack {packed} bytes into {total}", next=REFUSE)
    for info in chosen:
        to = folder / _safe(info).relative_to(strip)
        try:
            to.parent.mkdir(parents=True, exist_ok=True)
            _write(archive, info, to)
        except OSError as error:
            if error.errno not in NAMES:
                raise
            raise SourceError(
                f"the archive's {info.filename[:80]!r} cannot be a file: {error.strerror}", next=REFUSE
            ) from None


def _safe(info: ZipInfo) -> PurePosixPath:
    path = PurePosixPath(info.filename)
    mode = stat.S_IFMT(info.external_attr >> 16)
    strange = mode not in (0, stat.S_IFREG) or info.flag_bits & 0x1
    if strange or path.is_absolute() or ".." in path.parts or any(sign in info.filename for sign in "\\:\0"):
        raise SourceError(f"the archive holds {info.filename[:80]!r}, which is not a plain file inside it", next=REFUSE)
    return path


def _write(archive: ZipFile, info: ZipInfo, to: Path) -> None:
    """zipfile itself stops at the size the directory states and compares the checksum."""
    try:
        with archive.open(info) as data, to.open("xb") as out:
            shutil.copyfileobj(data, out, 1 << 20)
    except (
        BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        zipfile.LargeZipFile,
        FileExistsError,
    ) as error:
        raise SourceError(
            f"the archive's {info.filename[:80]!r} is damaged: {str(error)[:120]}", next="download it again"
        ) from None
