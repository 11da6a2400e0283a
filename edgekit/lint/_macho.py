"""What App Store Connect looks at in a Mach-O file: a thin or a universal one, a library or an archive of objects.

Layouts: mach-o/loader.h, mach-o/fat.h, mach-o/nlist.h and ar.h of Apple's SDK. The libraries for it read no archives,
and every static framework is one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from edgekit.lint._files import Unreadable

FAT, FAT64, ARCHIVE = b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf", b"!<arch>\n"
THIN = {b"\xcf\xfa\xed\xfe": 32, b"\xce\xfa\xed\xfe": 28}  # magic, little endian -> bytes of the header
MACHINES = {7: "i386", 0x01000007: "x86_64", 12: "armv7", 0x0100000C: "arm64", 0x0200000C: "arm64_32"}
PLATFORMS = {1: "macos", 2: "ios", 3: "tvos", 4: "watchos", 6: "maccatalyst", 7: "iossimulator", 11: "visionos"}
# LC_VERSION_MIN_*, of older linkers.
OLD = {0x24: "macos", 0x25: "ios", 0x2F: "tvos", 0x30: "watchos"}
RUNTIME = "_OrtGetApiBase"
_MOST = 64 * 2**20  # bytes of load commands, and of names


@dataclass
class Slice:
    """The code for one machine.

    Attributes:
        machine: "arm64".
        static: an archive of objects, which the app's own linker takes in.
        platform: "ios"; empty where it does not say so.
        min_os: the oldest system it was built for, as (15, 1).
        uses: names that others must define.
        defines: names that others may use.
    """

    machine: str
    static: bool = False
    platform: str = ""
    min_os: tuple[int, int] = (0, 0)
    uses: set[str] = field(default_factory=set)
    defines: set[str] = field(default_factory=set)


def read(stream: IO[bytes]) -> tuple[Slice, ...]:
    """The slices of a file; Unreadable where it is no Mach-O file or is damaged."""
    try:
        magic = _take(stream, 0, 8)
        if magic[:4] not in (FAT, FAT64):
            return (_slice(stream, 0),)
        layout = struct.Struct(">5I" if magic[:4] == FAT else ">IIQQII")
        count = int.from_bytes(magic[4:], "big")
        if not 0 < count <= 32:
            raise Unreadable("it is a damaged universal file")
        table = _take(stream, 8, count * layout.size)
        return tuple(_slice(stream, offset) for _, _, offset, *_ in layout.iter_unpack(table))
    except (struct.error, ValueError, OSError, OverflowError):
        raise Unreadable("it is a damaged Mach-O file") from None


def _slice(stream: IO[bytes], at: int) -> Slice:
    magic = _take(stream, at, 8)
    if magic == ARCHIVE:
        whole = Slice("", static=True)
        for start in _members(stream, at + len(ARCHIVE)):
            _object(stream, start, whole)
        whole.uses -= whole.defines
        return whole
    if magic[:4] not in THIN:
        raise Unreadable("it is no Mach-O file")
    single = Slice("")
    _object(stream, at, single)
    return single


def _members(stream: IO[bytes], at: int) -> Iterator[int]:
    """Where the objects of an archive begin; other members, its table of symbols for one, are passed over."""
    while True:
        stream.seek(at)
        header = stream.read(60)
        if len(header) < 60 or header[58:] != b"`\n":
            return
        size = int(header[48:58])
        name = int(header[3:16]) if header.startswith(b"#1/") else 0
        start = at + 60 + name
        stream.seek(start)
        if stream.read(4) in THIN:
            yield start
        at += 60 + size + size % 2


def _object(stream: IO[bytes], at: int, to: Slice) -> None:
    """Add what one object or library says to a slice."""
    size = THIN[_take(stream, at, 4)]
    header = struct.unpack("<7I", _take(stream, at, 28))
    to.machine = to.machine or MACHINES.get(header[1], f"machine {header[1]}")
    commands = _take(stream, at + size, header[5])
    place = 0
    tables: dict[int, tuple[int, ...]] = {}
    for _ in range(header[4]):
        command, length = struct.unpack_from("<II", commands, place)
        if length < 8:
            raise ValueError
        kind = command & 0x7FFFFFFF
        if kind == 0x32 or kind in OLD:  # LC_BUILD_VERSION has the platform before the version
            words = struct.unpack_from("<II", commands, place + 8)
            platform, version = (words[0], words[1]) if kind == 0x32 else (0, words[0])
            to.platform = OLD.get(kind) or PLATFORMS.get(platform, f"platform {platform}")
            to.min_os = max(to.min_os, (version >> 16, version >> 8 & 0xFF))
        elif kind == 0x2:  # LC_SYMTAB
            tables[kind] = struct.unpack_from("<4I", commands, place + 8)
        elif kind == 0xB:  # LC_DYSYMTAB
            tables[kind] = struct.unpack_from("<6I", commands, place + 8)
        place += length
    if 0x2 in tables:
        offset, count, text_at, text_size = tables[0x2]
        # LC_DYSYMTAB says where the symbols for and of others are; an object may have none.
        ranges = tables.get(0xB, (0, 0, 0, count))
        width = 16 if size == 32 else 12
        text = _take(stream, at + text_at, text_size)
        for first, number in zip(ranges[2::2], ranges[3::2], strict=True):
            _names(_take(stream, at + offset + first * width, number * width), width, text, to)


def _names(rows: bytes, width: int, text: bytes, to: Slice) -> None:
    """Add the external names of a table of nlist: undefined ones and those that others may use."""
    for row in range(0, len(rows), width):
        kind = rows[row + 4]
        if kind & 0xF1 == 0x01:  # N_EXT, neither N_STAB nor N_PEXT
            start = int.from_bytes(rows[row : row + 4], "little")
            name = text[start : text.index(b"\0", start)].decode("utf-8", "replace")
            (to.defines if kind & 0x0E else to.uses).add(name)


def _take(stream: IO[bytes], at: int, size: int) -> bytes:
    """Exactly so many bytes; ValueError where they are not there or too many."""
    if size > _MOST:
        raise ValueError
    stream.seek(at)
    data = stream.read(size)
    if len(data) < size:
        raise ValueError
    return data
