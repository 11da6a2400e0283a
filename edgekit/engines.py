"""The packages that compute, as they are installed, and what of this machine their floats depend on."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

# Instructions by which kernels differ in how they round or saturate; the names of Linux.
X86 = ("amx_int8", "amx_bf16", "avx", "avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16")
ARM = ("asimd", "asimddp", "asimdhp", "fphp", "i8mm", "bf16", "sve", "sve2", "sme")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "ATEN_CPU_CAPABILITY")  # and the kernels that torch takes
CPUINFO = Path("/proc/cpuinfo")


def versions(names: Iterable[str]) -> dict[str, str]:
    """Installed versions by distribution name; those not installed are left out."""
    return {name: told[0] for name in names if (told := _installed(name))}


def installed(names: Iterable[str]) -> dict[str, list[str]]:
    """Version and sha256 of RECORD by distribution name: two builds of one version differ in it.

    Those not installed are left out; where an installer left no RECORD, the digest is empty.
    """
    return {name: list(told) for name in sorted(names) if (told := _installed(name))}


def machine(cpuinfo: Path = CPUINFO) -> dict[str, Any]:
    """What floats depend on besides engines: instructions that kernels choose by, and threads that share a sum."""
    try:
        words = set(re.split(r"\s+", cpuinfo.read_text(encoding="ascii", errors="replace")))
    except OSError:  # no Linux
        words = {platform.processor()}
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    asked = {name: os.environ[name] for name in THREADS if name in os.environ}
    return {
        "cpu": platform.machine(),
        "isa": sorted(words.intersection(X86 + ARM)) or sorted(words),
        "threads": threads,
        **asked,
    }


@cache
def of_modules(names: frozenset[str]) -> frozenset[str]:
    """The distributions that top-level modules belong to."""
    known = importlib.metadata.packages_distributions()
    return frozenset(name for module in names for name in known.get(module, ()))


@cache
def _installed(name: str) -> tuple[str, str] | None:
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    record = found.read_text("RECORD")
    return found.version, hashlib.sha256(record.encode()).hexdigest() if record else ""
