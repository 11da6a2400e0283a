"""The one place that says whether a path may stand in a manifest, an archive or an external-data record.

The rules are those of POSIX, Windows and macOS at once: a bundle made on one is whole and harmless on all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

MAX_PATH = 400  # bytes; what is left of Windows's and Android's limits under an app's own folder is not much more
MAX_PART = 200  # bytes; 255 is the limit of most file systems, and a temporary name must fit too
MAX_DEPTH = 16  # parts
# A colon is a drive or an NTFS stream, Windows refuses the others, and nobody can print control characters or
# half surrogate pairs.
_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f-\x9f\ud800-\udfff]')
_DRIVE = re.compile(r"[A-Za-z]:")
# Windows opens a device for these, whatever their ending (learn.microsoft.com, "Naming Files, Paths, and
# Namespaces").
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{device}{digit}" for device in ("com", "lpt") for digit in "0123456789\u00b9\u00b2\u00b3"]
)


def why_unsafe(path: str) -> str:
    """Why `path` may not name a file inside a bundle: a few words; "" when it may."""
    if not path:
        return "it is empty"
    if path.startswith("/"):
        return "it is absolute"
    if _FORBIDDEN.search(path):
        return "it has a backslash, a colon, or a character that not every system allows"
    if len(path.encode()) > MAX_PATH or path.count("/") >= MAX_DEPTH:
        return f"it is longer than {MAX_PATH} bytes or deeper than {MAX_DEPTH} folders"
    return next((why for part in path.split("/") if (why := _why_unsafe_part(part))), "")


def is_path(value: str) -> bool:
    """True for an engine option that names a place in the file system; a library's bare name is looked up."""
    return "/" in value or "\\" in value or value in (".", "..") or _DRIVE.match(value) is not None


def clash(paths: Iterable[str]) -> str:
    """Two of `paths` that one file system or another takes for the same, as words; "" when there are none.

    "A/x" and "a/y" clash (one folder on Windows and macOS, two on Linux), and so do "a" and "a/b", and "é"
    written as one code point and as two.
    """
    seen: dict[str, tuple[str, bool]] = {}
    for path in paths:
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            spelled, is_file = "/".join(parts[:end]), end == len(parts)
            key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", spelled).casefold())
            known = seen.get(key)
            if known is not None and (is_file or known != (spelled, is_file)):
                return f"{known[0]!r} and {spelled!r}"
            seen[key] = (spelled, is_file)
    return ""


def _why_unsafe_part(part: str) -> str:
    if part in ("", ".", ".."):
        return "it has an empty part, '.' or '..'"
    if part[-1] in ". ":
        return "a part ends with a dot or a space, which Windows drops"
    if part.split(".")[0].rstrip().lower() in _RESERVED:
        return f"{part!r} is a device's name on Windows"
    return f"a part is longer than {MAX_PART} bytes" if len(part.encode()) > MAX_PART else ""
