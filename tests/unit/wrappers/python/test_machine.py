"""What is read from /proc and /sys, on trees of files as machines have them."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.wrappers.python import machine, pages
from edgekit.wrappers.python.manifest import host_abi
from tests import needs

pytestmark = pytest.mark.unit

Tree = Callable[..., None]
X86 = "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu {}\n\nprocessor\t: 1\nmodel name\t: Another\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd {}\nCPU part\t: 0xd0b\n\nHardware\t: BCM2835\n"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """tree({"proc/meminfo": ...}): this machine is that tree."""
    monkeypatch.setattr(machine, "PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "SYS", tmp_path / "sys")
    monkeypatch.setattr(platform, "processor", str)  # it asks the program uname

    def write(files: dict[str, str]) -> None:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")

    return write


def test_facts_of_a_pi(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "host_abi", lambda: "aarch64")
    tree(
        {
            "proc/cpuinfo": ARM.format("asimddp crc32"),
            "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
            "proc/meminfo": "MemTotal:        8245168 kB\nMemFree:  1 kB\n",
            "proc/sys/kernel/arch": "aarch64\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2400000\n",
            "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "1500000\n",
            "sys/devices/system/cpu/cpu2/cpufreq/scaling_cur_freq": "2400000\n",
            "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "1\n",
            "sys/class/thermal/thermal_zone0/temp": "48950\n",
        }
    )
    facts = machine.facts()
    assert facts["model"] == "Raspberry Pi 5 Model B Rev 1.0" and facts["cpu"] == "BCM2835"
    assert facts["ram_mb"] == 8051 and facts["governor"] == "ondemand" and facts["kernels"] == "aarch64-dotprod"
    assert facts["temperature_c"] == 48.95 and facts["hypervisor"] is False
    assert machine.clock_mhz() == 2400


@pytest.mark.parametrize(
    ("abi", "text", "family"),
    [
        ("x86_64", X86.format("avx512f avx512_vnni"), "x86_64-avx512-vnni"),
        ("x86_64", X86.format("avx2 avx_vnni"), "x86_64-avx2-vnni"),
        ("x86_64", X86.format("avx512f"), "x86_64-avx512"),
        ("x86_64", X86.format("avx2"), "x86_64"),
        ("aarch64", ARM.format("asimddp i8mm"), "aarch64-i8mm"),
        ("aarch64", ARM.format("crc32"), "aarch64"),
        ("armv7", ARM.format("asimddp"), "armv7"),
    ],
)
def test_kernel_families(tree: Tree, monkeypatch: pytest.MonkeyPatch, abi: str, text: str, family: str) -> None:
    monkeypatch.setattr(machine, "host_abi", lambda: abi)
    tree({"proc/cpuinfo": text})
    assert machine.kernels() == family


@pytest.mark.parametrize(
    ("files", "virtual"),
    [
        ({"proc/cpuinfo": X86.format("hypervisor")}, True),
        ({"sys/class/dmi/id/product_name": "Standard PC (Q35 + ICH9, 2009), QEMU"}, True),
        ({"sys/class/dmi/id/product_name": "VMware7,1"}, True),
        ({"sys/class/dmi/id/product_name": "ThinkPad X1"}, False),
        ({"proc/device-tree/model": "Android Goldfish\0"}, True),
        ({"proc/sys/kernel/arch": "riscv64"}, True),  # user-mode emulation: the kernel is the emulator's
        ({"proc/sys/kernel/arch": host_abi()}, False),
        ({"proc/cpuinfo": X86.format("avx2 nohypervisors")}, False),
    ],
)
def test_virtual_machines(tree: Tree, files: dict[str, str], virtual: bool) -> None:
    tree(files)
    assert machine.facts()["hypervisor"] is virtual


def test_a_32_bit_program_on_a_64_bit_arm_is_not_emulated(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "host_abi", lambda: "armv7")
    tree({"proc/sys/kernel/arch": "aarch64"})
    assert machine.facts()["hypervisor"] is False


@pytest.mark.parametrize(
    ("zones", "hottest"),
    [
        (["45500", "61250"], 61.25),
        (["-273000", "0", "45500"], 45.5),  # sensors that are off
        (["255000000"], None),
        (["", "n/a"], None),
    ],
)
def test_temperatures(tree: Tree, zones: list[str], hottest: float | None) -> None:
    tree({f"sys/class/thermal/thermal_zone{at}/temp": text for at, text in enumerate(zones)})
    assert machine.temperature_c() == hottest


def test_memory(tree: Tree) -> None:
    tree(
        {
            "proc/self/smaps_rollup": "00400000-7ff [rollup]\nRss:  9000 kB\nPss:  4096 kB\nSwapPss:  1024 kB\n",
            "proc/self/status": "Name:\tpython\nVmHWM:\t  204800 kB\nVmRSS:\t 1 kB\n",
        }
    )
    assert machine.footprint_mb() == 5 and machine.peak_rss_mb() == 200


def test_the_load_of_others(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    clock = iter([100.0, 102.0, 106.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    own = os.times()
    monkeypatch.setattr(os, "times", lambda: own)  # this process does nothing meanwhile
    tree({"proc/stat": "cpu  100 0 100 5000 300 0 0 7 50 0\ncpu0 1 2 3\n"})
    watch = machine.Watch()
    tree({"proc/stat": f"cpu  {100 + ticks} 0 {100 + ticks} 9000 900 0 0 7 50 0\n"})  # two CPU seconds in two
    watch.lap()
    tree({"proc/stat": f"cpu  {100 + ticks} 0 {100 + ticks} 9999 999 0 0 {7 + ticks} 99 0\n"})  # one, stolen, in four
    watch.lap()
    report = watch.report()
    assert report["other_cores"] == [pytest.approx(1), pytest.approx(0.25)]
    assert report["other_cores_mean"] == pytest.approx(0.5) and report["seconds"] == 6
    assert report["at_s"] == [0, 2, 6]


def test_this_machine() -> None:
    facts = machine.facts()
    assert facts["cores"] == os.cpu_count() and facts["abi"] == host_abi()
    if sys.platform == "linux":
        footprint, peak = machine.footprint_mb(), machine.peak_rss_mb()
        assert footprint is not None and peak is not None and footprint > 1 and peak > 1
        assert facts["ram_mb"] > 100


@needs.linux
def test_pages_leave_the_cache(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(os.urandom(300_000))
    (tmp_path / "empty").write_bytes(b"")
    with path.open("r+b") as stream:
        os.fsync(stream.fileno())  # a dirty page cannot be dropped
    path.read_bytes()
    with path.open("rb") as stream:
        here, count = pages._resident(stream.fileno(), 300_000)
    assert here == count == -(-300_000 // os.sysconf("SC_PAGESIZE"))
    found = pages.evict([path, tmp_path / "empty"])
    assert found == "cold" or found.endswith("pages are held by the system")  # a memory file system keeps its own
    if found == "cold":
        with path.open("rb") as stream:
            assert pages._resident(stream.fileno(), 300_000)[0] == 0
