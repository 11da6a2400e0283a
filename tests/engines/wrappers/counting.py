"""What the core allocates in a process of another's, counted by its calls of malloc (cpp/counting.cpp)."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests import needs

SOURCE = Path(__file__).parent / "cpp/counting.cpp"
NUMBERS = struct.Struct("<qqq")  # whether to count, calls, bytes


def compile_counting(folder: Path) -> Path:
    """The library for LD_PRELOAD; it needs no C++ library of the program's."""
    if not shutil.which("g++"):
        needs.unavailable("g++ is not installed")
    built = folder / "libcounting.so"
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    linked = ["-static-libstdc++", "-static-libgcc", "-o", built]
    subprocess.run(["g++", *flags, SOURCE, *linked], check=True, timeout=300)
    return built


class Counted:
    """A process that is started with `env`, in which the core is counted from `begin` on."""

    def __init__(self, library: Path, folder: Path) -> None:
        path = folder / "counts"
        path.write_bytes(bytes(NUMBERS.size))
        with path.open("r+b") as file:
            self._counts = mmap.mmap(file.fileno(), NUMBERS.size)
        self.env: Mapping[str, str] = {"LD_PRELOAD": str(library), "EDGEKIT_COUNTING": str(path)}

    def begin(self) -> None:
        """Count, from 0."""
        self._counts[:] = NUMBERS.pack(1, 0, 0)

    def told(self) -> tuple[int, int]:
        """Calls, and bytes; where the core was not found the process has not been counting."""
        asked, calls, size = NUMBERS.unpack(self._counts[:])
        assert asked == 2, "nothing was allocated since"
        return calls, size
