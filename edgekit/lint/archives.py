"""Files that cannot be read as what they claim to be, and archives that nobody should unpack."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.lint._artifact import Part
from edgekit.lint._report import Kind
from edgekit.lint._rule import Fault, Rule

ON: tuple[Kind, ...] = ("aar", "apk", "app", "bundle", "framework", "xcframework", "folder")


def _unsafe(part: Part) -> Iterator[Fault]:
    for path, why in part.files.unsafe.items():
        yield Fault(path, why)


def _unreadable(part: Part) -> Iterator[Fault]:
    part.read_all()
    for path, why in sorted(part.unreadable.items()):
        yield Fault(path, why)


def _not_read(part: Part) -> Iterator[Fault]:
    for path in part.files.entries:
        if path.endswith(".aab") or path == "BundleConfig.pb":
            yield Fault(path, "an app bundle is not looked into")


RULES = (
    Rule(
        "archive-names",
        "error",
        "a member of an archive that would be written outside of its folder",
        "do not unpack it, and ask whoever made it",
        "https://cwe.mitre.org/data/definitions/22.html",
        ON,
        _unsafe,
    ),
    Rule(
        "unreadable",
        "error",
        "a file that is damaged, encrypted, absurdly packed, or not what its name says",
        "fetch or build it again",
        "https://cwe.mitre.org/data/definitions/409.html",
        ON,
        _unreadable,
    ),
    Rule(
        "app-bundle",
        "note",
        "an Android App Bundle, which lint does not read",
        "lint the APKs that bundletool makes of it (bundletool build-apks --mode=universal)",
        "https://developer.android.com/tools/bundletool",
        ("folder",),
        _not_read,
    ),
)
