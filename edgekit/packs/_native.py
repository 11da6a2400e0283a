"""libedgekit and its engines for Linux, of edgekit's own build of the runner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgekit.bundle.stage import copy
from edgekit.devices import _runner
from edgekit.errors import UsageError
from edgekit.packs import Asked

HEADERS = ("edgekit.h", "edgekit.hpp")
ENGINES = ("libonnxruntime.so", "libonnxruntime-genai.so")


def platforms(asked: Asked) -> list[_runner.Platform]:
    """The Linux platforms that are asked for.

    Raises:
        UsageError: of no such architecture, or with engines, which are those that edgekit runs with.
    """
    if asked.engines is not None:
        raise UsageError("the engines for Linux are those that edgekit runs with", next="leave --engines out")
    known = {each.abi: each for each in _runner.PLATFORMS if each.os == "linux"}
    if strange := [abi for abi in asked.abis if abi not in known]:
        raise UsageError(f"Linux is not built for {strange[0]}", next=f"--abi: one of {', '.join(known)}")
    return [known[abi] for abi in asked.abis_or_host()]


def built(wanted: _runner.Platform) -> Path:
    """The folder of the library and its engines, built unless they are there."""
    return _runner.build(wanted).parent


def place(home: Path, to: Path) -> list[str]:
    """Copy the library and the engines into a folder, each ready to be loaded; the engines' names."""
    libraries = sorted(path for engine in ENGINES for path in home.glob(f"{engine}*"))
    for path in (home / _runner.LIBRARY, *libraries):
        copy(path, to / path.name)
        (to / path.name).chmod(0o755)
    return [path.name for path in libraries]


def headers() -> Iterator[Path]:
    """The headers that an app includes."""
    for name in HEADERS:
        if (path := _runner.SOURCES / "src" / name).is_file():
            yield path
