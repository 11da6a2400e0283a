"""What this machine is and how it is doing: facts, memory of this process, load of others, temperature, clocks.

Read from /proc and /sys on Linux; elsewhere a value that is not read is None, never a guess.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from .manifest import abi, host_abi, host_os

PROC, SYS = Path("/proc"), Path("/sys")
_IDLE = (3, 4)  # fields of /proc/stat that are no work: idle, iowait (proc(5))
_VIRTUAL = ("kvm", "qemu", "vmware", "virtualbox", "bochs", "virtual machine", "goldfish", "ranchu")
# How ONNX Runtime's CPU kernels differ: by the widest of these that the CPU has (onnxruntime/core/mlas).
_X86 = (("avx512_vnni", "x86_64-avx512-vnni"), ("avx_vnni", "x86_64-avx2-vnni"), ("avx512f", "x86_64-avx512"))
_ARM = (("i8mm", "aarch64-i8mm"), ("asimddp", "aarch64-dotprod"))


def facts() -> dict[str, Any]:
    """What tells one machine from another, without its name or its owner's."""
    cpu = _cpuinfo()
    product = _text(SYS / "class/dmi/id/product_name") or _text(PROC / "device-tree/model")
    name = cpu.get("model name") or cpu.get("hardware") or platform.processor() or None
    return {
        "model": product,
        "cpu": name,
        "cores": os.cpu_count(),
        "ram_mb": _ram_mb(),
        "os": host_os(),
        "os_version": _os_version(),
        "abi": host_abi(),
        "soc": None,
        "kernel": platform.release(),
        "governor": _text(SYS / "devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "hypervisor": _virtual(product or ""),
        "kernels": kernels(),
        "temperature_c": temperature_c(),
        "load_1m": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def kernels() -> str:
    """The family of CPU kernels that runs here: outputs of quantized models are alike within one, not between two."""
    flags, here = _flags(), host_abi()
    known = {"x86_64": _X86, "aarch64": _ARM}.get(here, ())
    return next((family for flag, family in known if flag in flags), here)


def footprint_mb() -> float | None:
    """PSS + swap of this process: what it adds to the memory in use. Takes milliseconds: never while timing."""
    values = _kilobytes(PROC / "self/smaps_rollup", ("Pss", "SwapPss"))
    return sum(values.values()) / 1024 if "Pss" in values else None


def peak_rss_mb() -> float | None:
    """The largest resident set of this process so far (VmHWM); the getrusage value would include its parent's."""
    values = _kilobytes(PROC / "self/status", ("VmHWM",))
    return values["VmHWM"] / 1024 if values else None


def temperature_c() -> float | None:
    """The hottest thermal zone; None where there is none to read."""
    found = [int(text) for zone in SYS.glob("class/thermal/thermal_zone*/temp") if (text := _number(zone))]
    plausible = [value / 1000 for value in found if 0 < value < 150_000]
    return max(plausible, default=None)


def clock_mhz() -> float | None:
    """The median clock of the CPUs; None where it cannot be read."""
    zones = SYS.glob("devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq")
    found = [int(text) / 1000 for zone in zones if (text := _number(zone))]
    return statistics.median(found) if found else None


class Watch:
    """Conditions during a measurement: one sample at each `lap`.

    Attributes:
        other_cores: cores' worth of CPU that other processes (and other virtual machines) used, by lap.
        at_s: seconds from the start to each lap, that of the start (0) first.
        temperature_c, clock_mhz: at the start and by lap; None where it cannot be read.
    """

    def __init__(self) -> None:
        self.at_s = [0.0]
        self.other_cores: list[float | None] = []
        self.temperature_c: list[float | None] = [temperature_c()]
        self.clock_mhz: list[float | None] = [clock_mhz()]
        self._first = self._last = _counters()

    def lap(self) -> None:
        """Take a sample of the time since the one before."""
        now = _counters()
        self.at_s.append(now[0] - self._first[0])
        self.other_cores.append(_others(self._last, now))
        self.temperature_c.append(temperature_c())
        self.clock_mhz.append(clock_mhz())
        self._last = now

    def report(self) -> dict[str, Any]:
        """Everything, as JSON; other_cores_mean is over the whole time."""
        return {
            "seconds": self._last[0] - self._first[0],
            "at_s": self.at_s,
            "other_cores_mean": _others(self._first, self._last),
            "other_cores": self.other_cores,
            "temperature_c": self.temperature_c,
            "clock_mhz": self.clock_mhz,
        }


def _counters() -> tuple[float, float | None, float]:
    """Now, CPU seconds of the whole machine, CPU seconds of this process."""
    own = os.times()
    fields = _text(PROC / "stat", first_line=True)
    busy = None
    if fields and fields.startswith("cpu "):
        ticks = [int(field) for field in fields.split()[1:9]]  # guest time is already in user time
        busy = sum(tick for at, tick in enumerate(ticks) if at not in _IDLE) / os.sysconf("SC_CLK_TCK")
    return time.monotonic(), busy, own.user + own.system


def _others(before: tuple[float, float | None, float], after: tuple[float, float | None, float]) -> float | None:
    if before[1] is None or after[1] is None or after[0] <= before[0]:
        return None
    used = (after[1] - before[1]) - (after[2] - before[2])
    return max(0.0, used / (after[0] - before[0]))


def _virtual(product: str) -> bool:
    """Whether this is a virtual machine, or a program of one architecture on a kernel of another: emulated."""
    if "hypervisor" in _flags() or any(word in product.lower() for word in _VIRTUAL):
        return True
    kernel, here = abi(_text(PROC / "sys/kernel/arch") or host_abi()), host_abi()
    return kernel != here and (kernel, here) != ("aarch64", "armv7")  # 64-bit ARM runs 32-bit programs itself


def _cpuinfo() -> dict[str, str]:
    """The fields of /proc/cpuinfo, lower case; of several CPUs the first counts."""
    found: dict[str, str] = {}
    for line in (_text(PROC / "cpuinfo") or "").splitlines():
        key, colon, value = line.partition(":")
        if colon:
            found.setdefault(key.strip().lower(), value.strip())
    return found


def _flags() -> set[str]:
    cpu = _cpuinfo()
    return set((cpu.get("flags") or cpu.get("features") or "").split())


def _os_version() -> str:
    if sys.platform != "linux":
        return platform.platform(terse=True)
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"


def _ram_mb() -> int | None:
    values = _kilobytes(PROC / "meminfo", ("MemTotal",))
    return values["MemTotal"] // 1024 if values else None


def _kilobytes(path: Path, names: tuple[str, ...]) -> dict[str, int]:
    """The named "Key:  123 kB" lines of a /proc file."""
    found = {}
    for line in (_text(path) or "").splitlines():
        key, _, value = line.partition(":")
        if key in names:
            found[key] = int(value.split()[0])
    return found


def _number(path: Path) -> str | None:
    text = _text(path)
    return text if text and text.lstrip("-").isdigit() else None


def _text(path: Path, *, first_line: bool = False) -> str | None:
    """A small file's text without the zero byte that device trees end with; None where it cannot be read."""
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            text = stream.readline() if first_line else stream.read()
    except OSError:
        return None
    return text.strip().strip("\0") or None
