"""The operating system's page cache: put a model's files out of it, and prove that they are out (Linux)."""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Iterable
from pathlib import Path


def evict(files: Iterable[Path]) -> str:
    """Ask the kernel to forget the pages of some files: "cold" when none is left, else why the cache may be warm."""
    if sys.platform != "linux":
        return "warm: not evicted on this system"
    left = total = 0
    for path in files:
        if not path.stat().st_size:
            continue
        with path.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            here, pages = _resident(stream.fileno(), path.stat().st_size)
        if here is None:
            return "warm: the system does not tell what it holds"
        left, total = left + here, total + pages
    return "cold" if not left else f"warm: {left} of {total} pages are held by the system"


def _resident(handle: int, size: int) -> tuple[int | None, int]:
    """Pages of an open file that lie in memory, and how many it has (mincore(2))."""
    pages = -(-size // mmap.PAGESIZE)
    states = (ctypes.c_ubyte * pages)()
    with mmap.mmap(handle, size, access=mmap.ACCESS_COPY) as mapped:  # mapped, not touched: this loads nothing
        first = ctypes.c_char.from_buffer(mapped)
        failed = ctypes.CDLL(None, use_errno=True).mincore(
            ctypes.c_void_p(ctypes.addressof(first)), ctypes.c_size_t(size), states
        )
        del first  # the mapping cannot be closed while something points into it
    return (None if failed else sum(state & 1 for state in states)), pages
