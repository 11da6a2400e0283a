"""An AndroidManifest.xml: the text that an AAR brings, and the binary form that aapt puts into an APK.

The binary form is ResTable's (ResourceTypes.h in Android's androidfw); the readers on PyPI configure the process's log.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from edgekit.lint._files import Unreadable

NAMESPACE = "{http://schemas.android.com/apk/res/android}"
# Attributes by their resource, for builds that leave their names out (public-final.xml in Android's framework).
RESOURCES = {
    0x01010003: "name",
    0x0101000F: "debuggable",
    0x01010010: "exported",
    0x01010018: "authorities",
    0x0101020C: "minSdkVersion",
    0x01010270: "targetSdkVersion",
    0x010104EA: "extractNativeLibs",
}
_NONE = 0xFFFFFFFF
_DEPTH = 64


@dataclass(frozen=True)
class Provider:
    """A ContentProvider: Android starts it before any code of the app."""

    name: str
    authorities: str


@dataclass(frozen=True)
class Manifest:
    """What a manifest says; None where it says nothing."""

    min_sdk: int | None
    target_sdk: int | None
    permissions: tuple[str, ...]
    providers: tuple[Provider, ...]
    debuggable: bool
    extracts: bool | None


def parse(data: bytes) -> Manifest:
    """A manifest of either form; Unreadable where it is neither."""
    root = _binary(data) if data[:4] == b"\x03\x00\x08\x00" else _text(data)
    if root.tag != "manifest":
        raise Unreadable(f"it begins with <{root.tag[:40]}>, not with <manifest>")
    sdk = root.find("uses-sdk")
    application = root.find("application")
    permissions = [*root.iter("uses-permission"), *root.iter("uses-permission-sdk-23")]
    return Manifest(
        min_sdk=_level(sdk, "minSdkVersion"),
        target_sdk=_level(sdk, "targetSdkVersion"),
        permissions=tuple(_of(element, "name") for element in permissions),
        providers=tuple(Provider(_of(each, "name"), _of(each, "authorities")) for each in root.iter("provider")),
        debuggable=application is not None and _of(application, "debuggable") == "true",
        extracts={"true": True, "false": False}.get(_of(application, "extractNativeLibs")),
    )


def _of(element: ElementTree.Element | None, name: str) -> str:
    return "" if element is None else element.get(NAMESPACE + name, "")


def _level(element: ElementTree.Element | None, name: str) -> int | None:
    text = _of(element, name)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None


def _text(data: bytes) -> ElementTree.Element:
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise Unreadable("it declares entities, which no manifest has")
    try:
        return ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise Unreadable(f"it is no XML ({str(error)[:80]})") from None


def _binary(data: bytes) -> ElementTree.Element:
    builder = ElementTree.TreeBuilder()
    strings: list[str] = []
    resources: tuple[int, ...] = ()
    depth = 0
    try:
        for kind, head, at, end in _chunks(data):
            if kind == 0x0001:
                strings = _strings(data, at)
            elif kind == 0x0180:
                resources = struct.unpack_from(f"<{(end - at - head) // 4}I", data, at + head)
            elif kind == 0x0102:
                depth += 1
                if depth > _DEPTH:
                    raise Unreadable("its elements are nested too deep")
                builder.start(*_element(data, at + head, strings, resources))
            elif kind == 0x0103:
                depth -= 1
                builder.end(strings[struct.unpack_from("<I", data, at + head + 4)[0]])
        root = builder.close()
        if not isinstance(root, ElementTree.Element):  # of no element at all
            raise ValueError
        return root
    except (struct.error, LookupError, ValueError, AssertionError, ElementTree.ParseError):
        raise Unreadable("it is a damaged binary manifest") from None


def _chunks(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """The chunks below the file's own: kind, bytes of the header, first byte, end."""
    at = struct.unpack_from("<H", data, 2)[0]
    while at < len(data):
        kind, head, size = struct.unpack_from("<HHI", data, at)
        if size < 8 or at + size > len(data):
            raise ValueError
        yield kind, head, at, at + size
        at += size


def _strings(data: bytes, at: int) -> list[str]:
    head, count, flags, start = struct.unpack_from("<2xH4xI4xII", data, at)
    offsets = struct.unpack_from(f"<{count}I", data, at + head)
    return [_string(data, at + start + offset, utf8=bool(flags & 0x100)) for offset in offsets]


def _string(data: bytes, at: int, *, utf8: bool) -> str:
    """A string of the pool; the length before it has one unit, or two where the first has its high bit."""
    if utf8:
        at += 2 if data[at] & 0x80 else 1
        size = (data[at] & 0x7F) << 8 | data[at + 1] if data[at] & 0x80 else data[at]
        at += 2 if data[at] & 0x80 else 1
        return data[at : at + size].decode("utf-8", "replace")
    (size,) = struct.unpack_from("<H", data, at)
    if size & 0x8000:
        size = (size & 0x7FFF) << 16 | struct.unpack_from("<H", data, at + 2)[0]
        at += 2
    return data[at + 2 : at + 2 + 2 * size].decode("utf-16-le", "replace")


def _element(data: bytes, at: int, strings: list[str], resources: tuple[int, ...]) -> tuple[str, dict[str, str]]:
    name, start, size, count = struct.unpack_from("<4xIHHH", data, at)
    attributes: dict[str, str] = {}
    for number in range(count):
        space, key, raw, kind, value = struct.unpack_from("<III3xBI", data, at + start + number * size)
        word = RESOURCES.get(resources[key], "") if key < len(resources) else ""
        word = word or strings[key]
        prefix = NAMESPACE if space != _NONE or key < len(resources) else ""
        attributes[prefix + word] = strings[raw] if raw != _NONE else _value(kind, value, strings)
    return strings[name], attributes


def _value(kind: int, value: int, strings: list[str]) -> str:
    if kind == 0x03:
        return strings[value]
    if kind == 0x12:
        return "true" if value else "false"
    return str(value) if kind in (0x10, 0x11) else f"@0x{value:08x}"
