"""Only signs of real hardware make a device; every emulator shows itself, and what is unknown is emulated."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.devices._evidence import agreed, judge
from edgekit.devices._facts import FILES, PROPS, Facts, Python

pytestmark = pytest.mark.unit

ARM = {"cpu implementer": "0x41", "features": "fp asimd"}
X86 = {"vendor_id": "GenuineIntel", "flags": "fpu sse2 avx2", "model name": "Intel(R) Core(TM) i7"}
PIXEL = {
    "ro.build.version.sdk": "35",
    "ro.build.version.release": "15",
    "ro.product.model": "Pixel 8",
    "ro.product.device": "shiba",
    "ro.product.cpu.abi": "arm64-v8a",
    "ro.soc.model": "Tensor G3",
    "ro.hardware": "shiba",
    "ro.boot.hypervisor.vm.supported": "1",  # it can run virtual machines, it is none
}


def facts(props: dict[str, str] | None = None, files: dict[str, str] | None = None, **rest: Any) -> Facts:
    base: dict[str, Any] = {
        "cpu": ARM,
        "machine": "aarch64",
        "system": "Linux",
        "release": "Debian",
        "ram_kb": 8_000_000,
        "virt": "",
        "signs": (),
        "shell": "/bin/dash",
    }
    return Facts(dict.fromkeys(PROPS, "") | (props or {}), dict.fromkeys(FILES, "") | (files or {}), **(base | rest))


@pytest.mark.parametrize(
    "real",
    [
        facts(PIXEL),
        facts(files={"tree_model": "Raspberry Pi 5 Model B Rev 1.0"}),
        facts(files={"tree_model": "NVIDIA Jetson Orin Nano Developer Kit"}, virt="none"),
        facts(files={"dmi_product": "NUC10i7FNH", "dmi_vendor": "Intel(R) Client Systems"}, cpu=X86, machine="x86_64"),
    ],
    ids=["Pixel 8", "Raspberry Pi 5", "Jetson", "NUC"],
)
def test_real_hardware_is_a_device(real: Facts) -> None:
    assert judge(real).evidence == "device"


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (facts(PIXEL | {"ro.hardware": "ranchu", "ro.product.model": "sdk_gphone64_arm64"}), "ranchu"),
        (facts(PIXEL | {"ro.hardware": "goldfish"}), "goldfish"),
        (facts(PIXEL | {"ro.kernel.qemu": "1"}), "ro.kernel.qemu is 1"),
        (facts(PIXEL | {"ro.boot.qemu": "1"}), "ro.boot.qemu is 1"),
        (facts(PIXEL | {"ro.hardware": "cutf_cvm"}), "cutf_cvm"),
        (facts(PIXEL, cpu=X86), "another architecture"),
        (facts(PIXEL | {"ro.soc.model": ""}), "nothing shows real hardware"),
        (facts(files={"tree_model": "linux,dummy-virt"}), "dummy-virt"),
        (facts(files={"tree_model": "Raspberry Pi 4", "tree_hypervisor": "xen,xen"}), "hypervisor"),
        (facts(files={"tree_model": "Raspberry Pi 4"}, shell="/usr/bin/qemu-aarch64-static"), "qemu-aarch64"),
        (facts(files={"tree_model": "Raspberry Pi 4"}, virt="kvm"), "systemd-detect-virt says kvm"),
        (facts(cpu=X86 | {"flags": "fpu hypervisor"}, machine="x86_64", files={"dmi_product": "X1"}), "tells of a hyp"),
        (facts(cpu=X86, machine="x86_64", files={"dmi_product": "VirtualBox"}), "VirtualBox"),
        (facts(cpu=X86, machine="x86_64", files={"dmi_vendor": "Amazon EC2", "dmi_product": "c5.large"}), "Amazon EC2"),
        (facts(cpu=X86, machine="x86_64", files={"dmi_product": "System Product Name"}), "nothing shows real hardware"),
        (facts(cpu=X86, machine="x86_64"), "nothing shows real hardware"),
        (facts(), "nothing shows real hardware"),
    ],
)
def test_what_plays_a_device_is_emulated(other: Facts, why: str) -> None:
    origin = judge(other)
    assert origin.evidence == "emulated" and any(why in reason for reason in origin.reasons), origin


def test_what_the_runtime_sees_can_only_weaken() -> None:
    pixel = facts(PIXEL)
    assert agreed(judge(pixel), pixel, {"abi": "aarch64", "hypervisor": False}).evidence == "device"
    assert agreed(judge(pixel), pixel, {"abi": "aarch64", "hypervisor": True}).evidence == "emulated"
    told = agreed(judge(pixel), pixel, {"abi": "x86_64"})
    assert told.evidence == "emulated" and "runs as x86_64" in told.reasons[-1]
    board = facts()
    assert agreed(judge(board), board, {"hypervisor": False}).evidence == "emulated"


def test_what_a_python_lacks() -> None:
    old = Python("python3", (3, 10, 4), {"numpy": "2.0", "onnxruntime": "1.30"})
    assert old.lacks("onnx") == ["python>=3.11"]
    new = Python("python3", (3, 12, 1), {"numpy": "2.0", "onnxruntime": "1.30"})
    assert new.lacks("onnx") == [] and new.lacks("genai") == ["onnxruntime-genai"]
