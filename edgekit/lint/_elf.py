"""What Android's loader and a store look at in an ELF library, read by pyelftools."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO, Any

from edgekit.lint._files import Unreadable

# The machine that the folder of an ABI means, and whether it is one of 64 bits.
ABIS = {
    "arm64-v8a": ("EM_AARCH64", 64),
    "armeabi-v7a": ("EM_ARM", 32),
    "x86": ("EM_386", 32),
    "x86_64": ("EM_X86_64", 64),
    "riscv64": ("EM_RISCV", 64),
}
RUNTIME = "OrtGetApiBase"  # the one symbol by which ONNX Runtime is entered


@dataclass(frozen=True)
class Elf:
    """A shared library.

    Attributes:
        machine: as the header names it, "EM_AARCH64".
        bits: 32 or 64.
        align: the smallest alignment of its LOAD segments, bytes; 0 without one.
        needed: the libraries it names, DT_NEEDED.
        runtime: whether ONNX Runtime is in it: it defines RUNTIME.
        relocates_text: whether the loader would have to write into its code.
        api: the Android API level it was built for; None where it does not say so.
    """

    machine: str
    bits: int
    align: int
    needed: tuple[str, ...]
    runtime: bool
    relocates_text: bool
    api: int | None


def read(stream: IO[bytes]) -> Elf:
    """The facts of a library; Unreadable where it is no ELF or is damaged."""
    from elftools.common.exceptions import DWARFError, ELFError
    from elftools.construct.core import ConstructError
    from elftools.elf.dynamic import DynamicSegment
    from elftools.elf.elffile import ELFFile

    try:
        elf = ELFFile(stream)
        segments = list(elf.iter_segments())
        dynamic = next((segment for segment in segments if isinstance(segment, DynamicSegment)), None)
        tags: list[Any] = list(dynamic.iter_tags()) if dynamic is not None else []
        loads = [segment["p_align"] for segment in segments if segment["p_type"] == "PT_LOAD"]
        return Elf(
            machine=str(elf["e_machine"]),
            bits=elf.elfclass,
            align=min(loads, default=0),
            needed=tuple(tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"),
            runtime=_defines_runtime(elf),
            relocates_text=any(
                tag.entry.d_tag == "DT_TEXTREL" or (tag.entry.d_tag == "DT_FLAGS" and tag.entry.d_val & 4)
                for tag in tags
            ),
            api=_api(segments),
        )
    except (ELFError, DWARFError, ConstructError) as error:
        raise Unreadable(f"it is no ELF library ({str(error)[:80]})") from None
    except (struct.error, ValueError, LookupError, OverflowError, AttributeError, TypeError, AssertionError, OSError):
        raise Unreadable("it is a damaged ELF library") from None  # what pyelftools makes of odd offsets


def _defines_runtime(elf: Any) -> bool:
    table = elf.get_section_by_name(".dynsym")
    symbols = table.get_symbol_by_name(RUNTIME) if table is not None and hasattr(table, "get_symbol_by_name") else None
    return any(symbol["st_shndx"] != "SHN_UNDEF" for symbol in symbols or ())


def _api(segments: list[Any]) -> int | None:
    """From the NDK's note: its first four bytes are the level."""
    for segment in segments:
        if segment["p_type"] == "PT_NOTE":
            for note in segment.iter_notes():
                if note["n_name"] == "Android" and len(note["n_descdata"]) >= 4:
                    return int.from_bytes(note["n_descdata"][:4], "little")
    return None
