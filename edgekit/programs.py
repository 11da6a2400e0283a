"""What a file is by its name and its first bytes, where something would execute it: a program, a library, a module."""

from __future__ import annotations

import re
import struct
import unicodedata

HEAD = 4096  # bytes that `by_bytes` wants; a PE's own header begins within them
_SUFFIXES = re.compile(
    r"\.(py|pyc|pyo|pyw|pyd|pyz|pth|egg|whl|ipynb|pkl|pickle|joblib|dill"  # Python imports, reads or unpickles them
    r"|so(\.\d+)*|dll|dylib|exe|scr|msi|node|dex|jar|apk|wasm|ko"  # loaders
    r"|sh|command|desktop|bat|cmd|ps1|vbs|hta|lnk|js|mjs|lua)$"  # shells, desktops and other interpreters
)
_MACH_O = (0xFEEDFACE, 0xFEEDFACF, 0xCEFAEDFE, 0xCFFAEDFE, 0xCAFEBABE, 0xCAFEBABF)  # mach-o/loader.h, fat.h


def by_name(path: str) -> bool:
    """Whether somebody would execute a file of this name."""
    return bool(_SUFFIXES.search(folded(path)))


def by_bytes(head: bytes) -> str:
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


def folded(text: str) -> str:
    """As the file systems of Windows and macOS compare names."""
    return unicodedata.normalize("NFKC", text).casefold()
