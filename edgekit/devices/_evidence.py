"""Is it a device, or something that plays one? Only signs of real hardware make `device`; the unknown is `emulated`.

Sources: AOSP's device/generic/goldfish and device/google/cuttlefish (ro.hardware, ro.kernel.qemu, ro.boot.qemu);
Linux's arch/x86/kernel/cpu/hypervisor.c (the `hypervisor` flag), Documentation/ABI/stable/sysfs-hypervisor-xen,
qemu's hw/arm/virt.c ("linux,dummy-virt"), systemd's src/basic/virt.c (the DMI vendors).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.devices._facts import Facts
from edgekit.results.measurement import Evidence

_VIRTUAL = (
    "qemu",
    "kvm",
    "bochs",
    "goldfish",
    "ranchu",
    "cutf",
    "vsoc",
    "vbox",
    "virtualbox",
    "innotek",
    "vmware",
    "xen",
    "parallels",
    "bhyve",
    "virtual",
    "dummy-virt",
    "waydroid",
    "redroid",
    "google_sdk",
    "sdk_gphone",
    "emulator",
    "amazon ec2",
    "google compute",
    "alibaba cloud",
    "openstack",
)
# DMI texts that boards carry whose maker filled nothing in: they prove nothing.
_EMPTY = ("", "none", "default string", "to be filled by o.e.m.", "system product name", "not specified", "unknown")


@dataclass(frozen=True)
class Origin:
    """What a device is taken for, and why."""

    evidence: Evidence
    reasons: tuple[str, ...]


def judge(facts: Facts) -> Origin:
    """`device` where signs of real hardware were found and none of an emulator or a hypervisor."""
    against = _against(facts)
    if against:
        return Origin("emulated", tuple(against))
    real = _hardware(facts)
    if real:
        return Origin("device", (real,))
    return Origin("emulated", ("nothing shows real hardware, and unknown counts as emulated",))


def agreed(origin: Origin, facts: Facts, identified: Mapping[str, Any]) -> Origin:
    """The origin, weakened by what the runtime itself found when it looked around (`identify`)."""
    against = []
    if identified.get("hypervisor"):
        against.append("the runtime found a hypervisor")
    told = identified.get("abi")
    if told and told != facts.abi:
        against.append(f"the runtime runs as {told} on a machine whose shell says {facts.abi}")
    return Origin("emulated", (*origin.reasons, *against)) if against else origin


def _against(facts: Facts) -> list[str]:
    """Every sign of an emulator or a hypervisor, in words."""
    found = []
    props, files = facts.props, facts.files
    for name in ("ro.kernel.qemu", "ro.boot.qemu"):
        if props.get(name, "") not in ("", "0"):
            found.append(f"{name} is {props[name]}")
    texts = {
        name: value for name, value in props.items() if name.startswith(("ro.hardware", "ro.boot.h", "ro.product"))
    }
    texts |= {name: files[name] for name in ("dmi_product", "dmi_vendor", "tree_model", "soc_machine")}
    texts["the hardware of /proc/cpuinfo"] = facts.cpu.get("hardware", "")
    for name, text in texts.items():
        if any(word in text.lower() for word in _VIRTUAL):
            found.append(f"{name} is {text!r}")
    if "hypervisor" in facts.cpu.get("flags", "").split():
        found.append("the CPU tells of a hypervisor")
    for name in ("tree_hypervisor", "hypervisor_type"):
        if files[name]:
            found.append(f"the kernel tells of a hypervisor ({files[name]})")
    if facts.virt not in ("", "none"):
        found.append(f"systemd-detect-virt says {facts.virt}")
    if "qemu" in facts.shell:
        found.append(f"its shell is run by {facts.shell}")
    if _other_cpu(facts):
        found.append(f"it calls itself {facts.abi}, and its /proc/cpuinfo is that of another architecture")
    return found


def _other_cpu(facts: Facts) -> bool:
    """An x86 /proc/cpuinfo under an ARM name, or the reverse: user-mode emulation shows its host's."""
    x86, arm = "vendor_id" in facts.cpu, "cpu implementer" in facts.cpu
    return (x86 and facts.abi.startswith(("aarch64", "arm"))) or (arm and facts.abi in ("x86_64", "x86", "i686"))


def _hardware(facts: Facts) -> str:
    """One positive sign of real hardware, in words; empty without one."""
    if facts.os == "android":
        soc = facts.props.get("ro.soc.model") or facts.props.get("ro.board.platform")
        return f"Android names its SoC, {soc}" if soc else ""
    if facts.files["tree_model"]:
        return f"the device tree names the board, {facts.files['tree_model']}"
    product = facts.files["dmi_product"]
    if product.lower() not in _EMPTY and "flags" in facts.cpu:
        return f"the firmware names the machine, {product}, and the CPU tells of no hypervisor"
    return ""
