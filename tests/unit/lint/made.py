"""Packages made by hand, as small as they can be: ELF, Mach-O and PE, manifests of Android, frameworks, archives."""

from __future__ import annotations

import io
import plistlib
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ANDROID = "http://schemas.android.com/apk/res/android"
MACHINES = {"arm64-v8a": 183, "armeabi-v7a": 40, "x86": 3, "x86_64": 62}
MANIFEST = """<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="org.example">
{}</manifest>"""
SDK = '<uses-sdk android:minSdkVersion="24" android:targetSdkVersion="36"/>'
AAR_MANIFEST = MANIFEST.format(SDK + "<application/>").encode()
PLIST = {
    "CFBundleIdentifier": "org.example.engine",
    "CFBundleExecutable": "engine",
    "CFBundleVersion": "1",
    "CFBundleShortVersionString": "1.0",
    "MinimumOSVersion": "15.1",
    "CFBundleSupportedPlatforms": ["iPhoneOS"],
}
PRIVACY: dict[str, Any] = {"NSPrivacyTracking": False, "NSPrivacyAccessedAPITypes": []}


def reason(category: str, *codes: str) -> dict[str, Any]:
    """A privacy manifest with one category."""
    entry = {
        "NSPrivacyAccessedAPIType": f"NSPrivacyAccessedAPICategory{category}",
        "NSPrivacyAccessedAPITypeReasons": list(codes),
    }
    return {**PRIVACY, "NSPrivacyAccessedAPITypes": [entry]}


def elf(
    abi: str = "arm64-v8a",
    *,
    align: int = 16_384,
    needed: Sequence[str] = ("libc.so",),
    defines: str = "",
    text_relocations: bool = False,
    api: int = 24,
    extra: bytes = b"",
) -> bytes:
    """A shared library: one LOAD segment of the whole file, what the loader reads, and nothing to execute."""
    wide = abi in ("arm64-v8a", "x86_64")
    word = "Q" if wide else "I"
    header, program, section = (64, 56, 64) if wide else (52, 32, 40)
    symbol_size = 24 if wide else 16
    names = b"\0" + b"".join(name.encode() + b"\0" for name in (*needed, *([defines] if defines else [])))
    at = header + 3 * program
    strings_at, symbols_at = at, at + len(names)
    symbols = bytes(symbol_size)
    if defines:
        where = names.index(defines.encode() + b"\0")
        symbols += (
            struct.pack("<IBBHQQ", where, 0x12, 0, 1, 64, 8) if wide else struct.pack("<IIIBBH", where, 64, 8, 18, 0, 1)
        )
    tags = [(1, names.index(name.encode() + b"\0")) for name in needed]
    tags += [
        (5, strings_at),
        (6, symbols_at),
        (10, len(names)),
        (11, symbol_size),
        *([(22, 0)] if text_relocations else []),
    ]
    dynamic = b"".join(struct.pack(f"<{word}{word}", *tag) for tag in (*tags, (0, 0)))
    dynamic_at = symbols_at + len(symbols)
    note = struct.pack("<III", 8, 4, 1) + b"Android\0" + struct.pack("<I", api)
    note_at = dynamic_at + len(dynamic)
    titles = b"\0.dynstr\0.dynsym\0.shstrtab\0"
    titles_at = note_at + len(note)
    sections_at = titles_at + len(titles)
    body = names + symbols + dynamic + note + titles
    rows = [(0, 0, 0, 0, 0, 0), (1, 3, strings_at, len(names), 0, 0)]
    rows += [(9, 11, symbols_at, len(symbols), 1, symbol_size), (17, 3, titles_at, len(titles), 0, 0)]
    layout = "<IIQQQQIIQQ" if wide else "<IIIIIIIIII"
    for name, kind, place, size, link, entry in rows:
        body += struct.pack(layout, name, kind, 2, place, place, size, link, 1 if kind == 11 else 0, 1, entry)
    total = header + 3 * program + len(body) + len(extra)
    segments = [(1, 0, total, align), (2, dynamic_at, len(dynamic), 8), (4, note_at, len(note), 4)]
    programs = b""
    for kind, place, size, aligned in segments:
        values = (
            (kind, 5, place, place, place, size, size, aligned)
            if wide
            else (kind, place, place, place, size, size, 5, aligned)
        )
        programs += struct.pack("<IIQQQQQQ" if wide else "<IIIIIIII", *values)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
    rest = (3, MACHINES[abi], 1, 0, header, sections_at, 0, header, program, 3, section, 4, 3)
    return ident + struct.pack(f"<HHI{word}{word}{word}IHHHHHH", *rest) + programs + body + extra


def macho(
    machine: int = 0x0100000C,
    *,
    platform: int = 2,
    min_os: tuple[int, int] = (15, 1),
    uses: Sequence[str] = ("_malloc",),
    defines: Sequence[str] = ("_engine",),
    extra: bytes = b"",
) -> bytes:
    """A library of 64 bits: its build version and its table of symbols."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in (*defines, *uses))
    rows = b""
    for name, kind in [*((name, 0x0F) for name in defines), *((name, 0x01) for name in uses)]:
        rows += struct.pack("<IBBHQ", names.index(name.encode() + b"\0"), kind, 1 if kind == 0x0F else 0, 0, 0)
    at = 32 + 24 + 24 + 80
    version = struct.pack("<6I", 0x32, 24, platform, min_os[0] << 16 | min_os[1] << 8, 0, 0)
    symtab = struct.pack("<6I", 0x2, 24, at, len(defines) + len(uses), at + len(rows), len(names))
    dysymtab = struct.pack("<20I", 0xB, 80, 0, 0, 0, len(defines), len(defines), len(uses), *([0] * 12))
    header = struct.pack("<8I", 0xFEEDFACF, machine, 0, 6, 3, 24 + 24 + 80, 0, 0)
    return header + version + symtab + dysymtab + rows + names + extra


def universal(*slices: bytes) -> bytes:
    """A universal file."""
    at = 8 + 20 * len(slices)
    table, body = b"", b""
    for each in slices:
        table += struct.pack(">5I", 0, 0, at + len(body), len(each), 0)
        body += each
    return struct.pack(">4sI", b"\xca\xfe\xba\xbe", len(slices)) + table + body


def static(*objects: bytes) -> bytes:
    """An archive of objects, with a table of symbols before them as ranlib writes one."""
    members = [(b"__.SYMDEF", b"table"), *((b"#1/8", b"name.o\0\0" + each) for each in objects)]
    text = b"!<arch>\n"
    for name, data in members:
        text += (
            b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (name, 0, 0, 0, b"100644", len(data)) + data + b"\n" * (len(data) % 2)
        )
    return text


def pe(*, dll: bool = True, imports: Sequence[str] = ("kernel32.dll",), exports: str = "") -> bytes:
    """A program or a DLL of 64 bits with one section, in which its imports and exports lie."""
    base, body = 0x1000, bytearray(0x400)
    at = 20 * (len(imports) + 1)
    for number, name in enumerate(imports):
        thunk, label = at, at + 24
        struct.pack_into("<QQ", body, thunk, 1 << 63 | 1, 0)  # by ordinal
        body[label : label + len(name) + 1] = name.encode() + b"\0"
        struct.pack_into("<5I", body, 20 * number, base + thunk, 0, 0, base + label, base + thunk)
        at = label + 32
    export = at
    if exports:
        values = (0, 0, 0, 0, base + export + 60, 1, 1, 1, base + export + 40, base + export + 44, base + export + 48)
        struct.pack_into("<IIHHIIIIIII", body, export, *values[:2], *values[2:4], *values[4:])
        struct.pack_into("<IIH", body, export + 40, base, base + export + 70, 0)
        body[export + 60 : export + 67] = b"ort.dll"
        body[export + 70 : export + 71 + len(exports)] = exports.encode() + b"\0"
    directories = [(0, 0)] * 16
    directories[1] = (base, 20 * (len(imports) + 1))
    directories[0] = (base + export, 40) if exports else (0, 0)
    optional = struct.pack("<HBBIIIII", 0x20B, 14, 0, len(body), 0, 0, base, base)
    optional += struct.pack(
        "<QIIHHHHHHIIIIHHQQQQII",
        0x180000000,
        0x1000,
        0x200,
        6,
        0,
        0,
        0,
        6,
        0,
        0,
        0x2000,
        0x400,
        0,
        3,
        0,
        *[0x1000] * 4,
        0,
        16,
    )
    optional += b"".join(struct.pack("<II", *entry) for entry in directories)
    flags = 0x2022 if dll else 0x22
    file_header = struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, len(optional), flags)
    section = struct.pack("<8sIIIIIIHHI", b".rdata", len(body), base, len(body), 0x400, 0, 0, 0, 0, 0x40000040)
    dos = b"MZ" + bytes(58) + struct.pack("<I", 64)
    return (dos + b"PE\0\0" + file_header + optional + section).ljust(0x400, b"\0") + bytes(body)


def binary_manifest(text: str | bytes) -> bytes:
    """A manifest as aapt writes it; numbers and booleans as such, the rest as strings."""
    root = ElementTree.fromstring(text)
    words: list[str] = [ANDROID]

    def index(word: str) -> int:
        if word not in words:
            words.append(word)
        return words.index(word)

    def chunks(element: ElementTree.Element) -> bytes:
        rows = b""
        for key, value in element.attrib.items():
            space, _, name = key.rpartition("}")
            kind, data = 0x03, index(value)
            if value.isdigit():
                kind, data = 0x10, int(value)
            elif value in ("true", "false"):
                kind, data = 0x12, 0xFFFFFFFF if value == "true" else 0
            raw = data if kind == 0x03 else 0xFFFFFFFF
            rows += struct.pack("<IIIHBBI", 0 if space else 0xFFFFFFFF, index(name), raw, 8, 0, kind, data)
        head = struct.pack(
            "<IIIIHHHHHH", 1, 0xFFFFFFFF, 0xFFFFFFFF, index(element.tag), 20, 20, len(element.attrib), 0, 0, 0
        )
        start = struct.pack("<HHI", 0x0102, 16, 8 + len(head) + len(rows)) + head + rows
        end = struct.pack("<HHIIIII", 0x0103, 16, 24, 1, 0xFFFFFFFF, 0xFFFFFFFF, index(element.tag))
        return start + b"".join(map(chunks, element)) + end

    elements = chunks(root)
    offsets, data = [], b""
    for word in words:
        offsets.append(len(data))
        data += struct.pack("<H", len(word)) + word.encode("utf-16-le") + b"\0\0"
    data += bytes(-len(data) % 4)
    start = 28 + 4 * len(words)
    pool = struct.pack("<HHIIIIII", 1, 28, start + len(data), len(words), 0, 0, start, 0)
    pool += struct.pack(f"<{len(words)}I", *offsets) + data
    return struct.pack("<HHI", 3, 8, 8 + len(pool) + len(elements)) + pool + elements


def zipped(files: Mapping[str, bytes], *, stored: bool = False, page: int = 0) -> bytes:
    """An archive; `page` puts stored libraries at its multiples, as zipalign does."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for path, data in files.items():
            info = zipfile.ZipInfo(path)
            library = path.endswith(".so")
            info.compress_type = zipfile.ZIP_STORED if stored or (page and library) else zipfile.ZIP_DEFLATED
            if page and library:
                gap = -(sink.tell() + 30 + len(path) + 6) % page
                info.extra = struct.pack("<HHH", 0xD935, 2 + gap, page & 0xFFFF) + bytes(gap)
            archive.writestr(info, data)
            info.extra = b""
    return sink.getvalue()


def java_class(version: int = 11, *, kotlin: bool = False) -> bytes:
    """The beginning of a class file, and the name of Kotlin's annotation where it is written in it."""
    return b"\xca\xfe\xba\xbe" + struct.pack(">HH", 0, version + 44) + (b"Lkotlin/Metadata;" if kotlin else b"")


def kotlin_module(*version: int) -> bytes:
    """META-INF/NAME.kotlin_module."""
    return struct.pack(f">I{len(version)}I", len(version), *version)


JAR = {"org/example/A.class": java_class(kotlin=True), "META-INF/a.kotlin_module": kotlin_module(2, 1, 0)}
LIBRARIES = {
    f"jni/{abi}/libonnxruntime.so": elf(abi, align=16_384 if "64" in abi else 4096, defines="OrtGetApiBase")
    for abi in MACHINES
}


def aar(
    path: Path,
    *,
    manifest: bytes = AAR_MANIFEST,
    jar: Mapping[str, bytes] = JAR,
    libraries: Mapping[str, bytes] = LIBRARIES,
    more: Mapping[str, bytes] | None = None,
) -> Path:
    """An AAR, which nothing is wrong with unless it is asked for."""
    files = {"AndroidManifest.xml": manifest, "classes.jar": zipped(jar), "R.txt": b"", **libraries, **(more or {})}
    path.write_bytes(zipped(files))
    return path


def apk(
    path: Path,
    *,
    manifest: str | bytes = AAR_MANIFEST,
    libraries: Mapping[str, bytes] = LIBRARIES,
    page: int = 16_384,
    more: Mapping[str, bytes] | None = None,
) -> Path:
    """An APK, likewise."""
    moved = {name.replace("jni/", "lib/"): data for name, data in libraries.items()}
    files = {"AndroidManifest.xml": binary_manifest(manifest), "classes.dex": b"dex\n035\0", **moved, **(more or {})}
    path.write_bytes(zipped(files, page=page))
    return path


def framework(
    folder: Path,
    *,
    plist: Mapping[str, Any] = PLIST,
    code: bytes | None = None,
    privacy: Mapping[str, Any] | bytes | None = PRIVACY,
) -> Path:
    """A framework for devices, likewise."""
    folder.mkdir(parents=True)
    (folder / "Info.plist").write_bytes(plistlib.dumps(dict(plist)))
    (folder / "engine").write_bytes(macho() if code is None else code)
    if privacy is not None:
        data = privacy if isinstance(privacy, bytes) else plistlib.dumps(dict(privacy))
        (folder / "PrivacyInfo.xcprivacy").write_bytes(data)
    return folder


def xcframework(folder: Path, *, named: str = "ios-arm64", lies: str = "ios-arm64") -> Path:
    """An xcframework with one slice, likewise."""
    framework(folder / lies / "engine.framework")
    entry = {"LibraryIdentifier": named, "LibraryPath": "engine.framework", "SupportedPlatform": "ios"}
    (folder / "Info.plist").write_bytes(plistlib.dumps({"AvailableLibraries": [entry]}))
    return folder


def app(folder: Path, code: bytes | None = None) -> Path:
    """An app with a framework in it, likewise."""
    framework(folder, plist={**PLIST, "CFBundleIdentifier": "org.example.app"}, code=code)
    framework(folder / "Frameworks" / "engine.framework")
    return folder
