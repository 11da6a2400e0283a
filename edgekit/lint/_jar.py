"""What a compiler of an app looks at in a .jar: the JVM its classes are for, and the Kotlin they are written in."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from edgekit.lint._files import MAX_TEXT, Files, Unreadable

_CLASS = b"\xca\xfe\xba\xbe"
_FIRST_JAVA = 44  # major version of a class file less the version of Java


@dataclass(frozen=True)
class Jar:
    """The classes of a .jar.

    Attributes:
        java: the newest version of Java that a class asks for; 0 without classes.
        kotlin: the version of Kotlin's metadata, as (2, 1), by the path of each .kotlin_module.
        written_in_kotlin: classes that carry Kotlin's metadata.
        folders: those that have classes, as packages are named in a .jar.
    """

    java: int
    kotlin: dict[str, tuple[int, ...]]
    written_in_kotlin: tuple[str, ...]
    folders: frozenset[str]


def read(view: Files) -> Jar:
    """The facts of a .jar; Unreadable where one of its members is not as its name says."""
    java, kotlin, written, folders = 0, {}, [], set()
    for path in view.entries:
        if path.endswith(".class") and not path.startswith("META-INF/"):
            with view.open(path) as stream:
                data = stream.read(MAX_TEXT)
            if data[:4] != _CLASS or len(data) < 8:
                raise Unreadable(f"{path} is no class file")
            folders.add(path.rpartition("/")[0])
            java = max(java, int.from_bytes(data[6:8], "big") - _FIRST_JAVA)
            if b"Lkotlin/Metadata;" in data:
                written.append(path)
        elif path.endswith(".kotlin_module"):
            with view.open(path) as stream:
                kotlin[path] = _version(path, stream.read(64))
    return Jar(java, kotlin, tuple(written), frozenset(folders))


def _version(path: str, data: bytes) -> tuple[int, ...]:
    """ModuleMapping of Kotlin's compiler: the count of numbers, then the numbers, big endian."""
    count = int.from_bytes(data[:4], "big")
    if not 2 <= count <= 8 or len(data) < 4 + 4 * count:
        raise Unreadable(f"{path} is no Kotlin module")
    return struct.unpack_from(f">{count}I", data, 4)
