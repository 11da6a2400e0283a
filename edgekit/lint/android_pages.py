"""Native libraries for Android on devices with pages of 16 KB, and how an APK stores them."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.lint._artifact import Part
from edgekit.lint._elf import ABIS
from edgekit.lint._rule import Fault, Rule

PAGE = 16_384  # bytes
PAGES = "https://developer.android.com/guide/practices/page-sizes"


def _unaligned(part: Part) -> Iterator[Fault]:
    for path in part.android:
        elf = part.elves.get(path)
        if elf is not None and elf.bits == 64 and elf.align < PAGE:
            yield Fault(path, f"its LOAD segments are aligned to {elf.align:,} bytes, not to {PAGE:,}")


def _misplaced(part: Part) -> Iterator[Fault]:
    for path, abi in part.android.items():
        offset = part.files.offset(path) if part.files.entries[path].stored and ABIS[abi][1] == 64 else None
        if offset is not None and offset % PAGE:
            yield Fault(path, f"it is stored at byte {offset:,}, which is no multiple of {PAGE:,}")


def _packed(part: Part) -> Iterator[Fault]:
    if part.manifest is not None and part.manifest.extracts is False:
        for path in part.android:
            if not part.files.entries[path].stored:
                yield Fault(path, 'it is compressed, and the manifest says extractNativeLibs="false"')


RULES = (
    Rule(
        "android-16k-load",
        "error",
        "a 64-bit library whose LOAD segments are not aligned to 16 KB",
        "link it with -Wl,-z,max-page-size=16384 (NDK r28 does so by itself), or take a release that is",
        PAGES,
        ("aar", "apk", "folder"),
        _unaligned,
    ),
    Rule(
        "android-16k-offset",
        "error",
        "a 64-bit library stored in an APK at no multiple of 16 KB",
        "package with AGP 8.5.1 or later, or run zipalign -P 16 -f 4",
        PAGES,
        ("apk",),
        _misplaced,
    ),
    Rule(
        "android-packed-library",
        "error",
        "a compressed library that the installer is told not to extract",
        "store it uncompressed, or set android.packaging.jniLibs.useLegacyPackaging",
        "https://developer.android.com/guide/topics/manifest/application-element#extractNativeLibs",
        ("apk",),
        _packed,
    ),
)
