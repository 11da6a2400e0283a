"""What Windows' loader looks at in a program or a DLL, read by pefile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, Any

from edgekit.lint._files import Unreadable

MOST = 512 * 2**20  # bytes; pefile reads a file whole


@dataclass(frozen=True)
class Pe:
    """A program or a DLL.

    Attributes:
        machine: "IMAGE_FILE_MACHINE_AMD64".
        dll: a library, not a program.
        imports: the DLLs that are loaded with it, in small letters.
        runtime: whether ONNX Runtime is in it: it exports OrtGetApiBase.
    """

    machine: str
    dll: bool
    imports: tuple[str, ...]
    runtime: bool


def read(stream: IO[bytes]) -> Pe:
    """The facts of a file; Unreadable where it is no program and no DLL."""
    import pefile

    data = stream.read(MOST + 1)
    if len(data) > MOST:
        raise Unreadable(f"it is larger than {MOST // 2**20} MiB")
    directories = [pefile.DIRECTORY_ENTRY[f"IMAGE_DIRECTORY_ENTRY_{name}"] for name in ("IMPORT", "EXPORT")]
    try:
        pe: Any = pefile.PE(data=data, fast_load=True)
        pe.parse_data_directories(directories)
    except (pefile.PEFormatError, ValueError, LookupError, AttributeError, TypeError, OverflowError) as error:
        raise Unreadable(f"it is no program or DLL of Windows ({str(error)[:80]})") from None
    imports = getattr(pe, "DIRECTORY_ENTRY_IMPORT", ())
    exports = getattr(pe, "DIRECTORY_ENTRY_EXPORT", None)
    return Pe(
        machine=str(pefile.MACHINE_TYPE.get(pe.FILE_HEADER.Machine, pe.FILE_HEADER.Machine)),
        dll=bool(pe.is_dll()),
        imports=tuple(entry.dll.decode("ascii", "replace").lower() for entry in imports),
        runtime=any(symbol.name == b"OrtGetApiBase" for symbol in exports.symbols) if exports else False,
    )
