"""Code that a stranger could hide in a bundle. None of it is ever executed; it is called by its name all the same.

A bundle holds data, and below runtime/ the Python runtime of the edgekit that built it. Whoever writes the files writes
the manifest too, so a digest that is right there says nothing: the runtime is compared with this edgekit's own, and
anything that Python, a loader or a shell would execute is unsafe wherever it lies.
"""

from __future__ import annotations

import re
import struct
import unicodedata
from collections.abc import Collection, Iterator
from typing import Literal

from edgekit import __version__, files
from edgekit.bundle.files import DAMAGED, Files, Problem
from edgekit.bundle.stage import WRAPPER
from edgekit.contract.manifest import Manifest

OWN = files.resource("wrappers/python")
RUNTIME = "runtime"
_SUFFIXES = re.compile(
    r"\.(py|pyc|pyo|pyw|pyd|pyz|pth|egg|whl|ipynb|pkl|pickle|joblib|dill"  # Python imports, reads or unpickles them
    r"|so(\.\d+)*|dll|dylib|exe|scr|msi|node|dex|jar|apk|wasm|ko"  # loaders
    r"|sh|command|desktop|bat|cmd|ps1|vbs|hta|lnk|js|mjs|lua)$"  # shells, desktops and other interpreters
)
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\.py")
_MACH_O = (0xFEEDFACE, 0xFEEDFACF, 0xCEFAEDFE, 0xCFFAEDFE, 0xCAFEBABE, 0xCAFEBABF)  # mach-o/loader.h, fat.h
_HEAD = 4096  # bytes; a PE's own header begins within them

Likeness = Literal["same", "another", "none"]


def unsafe(found: Files, manifest: Manifest, *, trust: bool = False, but: Collection[str] = ()) -> Iterator[Problem]:
    """Every file that is code and does not belong, by its place, its name or its first bytes.

    Args:
        trust: the runtime that the manifest lists may be any.
        but: paths that another problem was found with.
    """
    listed = {file.path for file in manifest.files}
    for path in sorted(found.sizes.keys() - set(but)):
        if _folded(path.partition("/")[0]) == RUNTIME:
            why = "" if trust and path in listed else _why_no_runtime(found, manifest, path, path in listed)
        else:
            why = _why_code(found, path)
        if why:
            yield Problem(path, "unsafe", why)


def likeness(found: Files) -> Likeness:
    """The runtime of a bundle beside this edgekit's: byte for byte the same, another one, or none."""
    there = {path for path in found.sizes if path.startswith(f"{RUNTIME}/")}
    if not there:
        return "none"
    same = there == {f"{WRAPPER}/{name}" for name in own()} and all(_is_own(found, path) for path in there)
    return "same" if same else "another"


def own() -> list[str]:
    """The files of this edgekit's runtime, relative to its folder."""
    modules = (path for path in OWN.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return sorted(path.relative_to(OWN).as_posix() for path in modules)


def _why_no_runtime(found: Files, manifest: Manifest, path: str, listed: bool) -> str:
    """Why a file below runtime/ does not belong there; "" for this edgekit's own, or one of another version's."""
    if not listed:
        return "it lies below runtime/ and is not in the manifest"
    folder, _, name = path.rpartition("/")
    if folder != WRAPPER or not _MODULE.fullmatch(name):
        return "it is no module of a runtime, and would be imported beside one"
    if _is_own(found, path) or manifest.tools.get("edgekit") != __version__:
        return ""
    return f"it is not the file that edgekit {__version__}, named as the builder, ships"


def _is_own(found: Files, path: str) -> bool:
    ours = OWN / path.removeprefix(f"{WRAPPER}/")
    if not path.startswith(f"{WRAPPER}/") or not ours.is_file() or ours.stat().st_size != found.sizes[path]:
        return False
    try:
        with found.open(path) as stream:
            return stream.read(found.sizes[path]) == ours.read_bytes()
    except DAMAGED:
        return False


def _why_code(found: Files, path: str) -> str:
    if _SUFFIXES.search(_folded(path)):
        return "a program, a library or a module: a bundle has none but its runtime"
    try:
        with found.open(path) as stream:
            return _program(stream.read(_HEAD))
    except DAMAGED:
        return ""  # its digest tells


def _program(head: bytes) -> str:
    """What the first bytes of a file say it is: a program's or a library's format in words, or ""."""
    if re.match(rb"#! ?/", head):
        return "a script by its first bytes"
    if head[:4] == b"\x7fELF" and len(head) > 6 and head[4] in (1, 2) and head[5] in (1, 2) and head[6] == 1:
        return "a program or a library by its first bytes (ELF)"
    if head[:2] == b"MZ" and len(head) >= 64 and head.startswith(b"PE\0\0", struct.unpack_from("<I", head, 0x3C)[0]):
        return "a program or a library by its first bytes (PE)"
    if int.from_bytes(head[:4], "big") in _MACH_O:
        return "a program or a library by its first bytes (Mach-O)"
    return "a program by its first bytes (dex)" if head.startswith(b"dex\n0") else ""


def _folded(text: str) -> str:
    """As the file systems of Windows and macOS compare names."""
    return unicodedata.normalize("NFKC", text).casefold()
