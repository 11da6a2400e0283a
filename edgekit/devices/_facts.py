"""What a device is, by one script: model, os, SoC, ABI, memory, and every sign of an emulator or a hypervisor."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from shlex import quote
from typing import Any

from edgekit.devices._shell import Shell
from edgekit.errors import DeviceError
from edgekit.kinds import Form
from edgekit.wrappers.python.manifest import PROVIDERS, abi

PROPS = (
    "ro.build.version.release",
    "ro.build.version.sdk",
    "ro.product.manufacturer",
    "ro.product.model",
    "ro.product.device",
    "ro.product.cpu.abi",
    "ro.soc.manufacturer",
    "ro.soc.model",
    "ro.board.platform",
    "ro.hardware",
    "ro.boot.hardware",
    "ro.kernel.qemu",
    "ro.boot.qemu",
    "ro.boot.hypervisor.vm.supported",
)
FILES = {
    "dmi_product": "/sys/class/dmi/id/product_name",
    "dmi_vendor": "/sys/class/dmi/id/sys_vendor",
    "tree_model": "/proc/device-tree/model",
    "tree_hypervisor": "/proc/device-tree/hypervisor/compatible",
    "hypervisor_type": "/sys/hypervisor/type",
    "soc_machine": "/sys/devices/soc0/machine",
    "soc_family": "/sys/devices/soc0/family",
    "governor": "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
}
# A file whose presence says that the platform has what an execution provider needs.
_SIGNS = {"qnn": ("/vendor/lib64/libcdsprpc.so", "/usr/lib/libcdsprpc.so"), "cuda": ("/dev/nvidia0", "/dev/nvhost-gpu")}
PYTHONS = (
    '"$EDGEKIT_PYTHON"',
    '"$HOME/.local/share/edgekit/venv/bin/python"',
    "python3",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
)
VENV = "~/.local/share/edgekit/venv"
OLDEST_PYTHON = (3, 11)
# Isolated Python leaves these out, as it does the current folder; engines may lie in them all the same. So they come
# last, behind the standard library and what is installed, and only where they do not depend on the current folder.
PATHS = (
    "import os, site, sys; sys.path += filter(os.path.isabs, "
    "[*os.environ.get('PYTHONPATH', '').split(':'), site.getusersitepackages()])"
)
_LOOK = (
    f"{PATHS}\n"
    "import json, importlib.util as u, importlib.metadata as m\n"
    "v = {}\n"
    'for n in ("numpy", "onnxruntime", "onnxruntime_genai"):\n'
    "    if u.find_spec(n):\n"
    "        try: v[n] = m.version(n.replace('_', '-'))\n"
    "        except m.PackageNotFoundError: v[n] = ''\n"
    'print(json.dumps({"exe": sys.argv[1], "version": list(sys.version_info[:3]), "have": v}))\n'
)


@dataclass(frozen=True)
class Python:
    """An interpreter on a device and the versions of the engines it can import."""

    program: str
    version: tuple[int, ...]
    have: Mapping[str, str] = field(default_factory=dict)

    def lacks(self, form: Form) -> list[str]:
        """What the Python wrapper still needs for models of this form, as pip names; "python>=3.11" among them."""
        old = [] if self.version >= OLDEST_PYTHON else ["python>=3.11"]
        needed = ["numpy", "onnxruntime", *(["onnxruntime_genai"] if form == "genai" else [])]
        return old + [name.replace("_", "-") for name in needed if name not in self.have]


@dataclass(frozen=True)
class Facts:
    """What was read; an empty string is a thing that is not there or may not be read.

    Attributes:
        props: Android's system properties; empty elsewhere.
        files: by the names of FILES.
        cpu: /proc/cpuinfo's fields, lower case, of the first CPU.
        machine: `uname -m`.
        system: `uname -s`.
        virt: what systemd-detect-virt says; empty where there is none.
        signs: execution providers the platform has libraries or devices for.
        shell: the program the device's shell really is; qemu's user emulation shows itself there.
    """

    props: Mapping[str, str]
    files: Mapping[str, str]
    cpu: Mapping[str, str]
    machine: str
    system: str
    release: str
    ram_kb: int
    virt: str
    signs: tuple[str, ...]
    shell: str

    @property
    def os(self) -> str:
        """As manifests name it."""
        return "android" if self.props.get("ro.build.version.sdk") else self.system.lower()

    @property
    def abi(self) -> str:
        """As manifests name it."""
        return abi(self.props.get("ro.product.cpu.abi") or self.machine)

    def shown(self) -> dict[str, Any]:
        """The keys of Found.facts but for the EPs of an ONNX Runtime."""
        props, files = self.props, self.files
        model = " ".join(filter(None, (props.get("ro.product.manufacturer"), props.get("ro.product.model"))))
        soc = " ".join(filter(None, (props.get("ro.soc.manufacturer"), props.get("ro.soc.model"))))
        board = props.get("ro.board.platform") or files["soc_machine"]
        version = f"Android {props['ro.build.version.release']}" if self.os == "android" else self.release
        android = ("nnapi",) if int(self.props.get("ro.build.version.sdk") or 0) >= 27 else ()
        return {
            "model": model or files["tree_model"] or files["dmi_product"] or None,
            "os": self.os,
            "os_version": version or self.system,
            "soc": soc or board or self.cpu.get("hardware") or self.cpu.get("model name") or None,
            "abi": self.abi,
            "ram_mb": self.ram_kb // 1024 or None,
            "eps": ["cpu", *android, *self.signs],
        }


def read(shell: Shell) -> Facts:
    """Look at a device.

    Raises:
        DeviceError: it has gone, or it answers with what is no POSIX system.
    """
    raw = _sections(shell.must(_script(), "looking at the device"))
    uname = raw.get("uname", "").split()
    if len(uname) != 2:
        raise DeviceError(
            f"{shell.address} has no uname: it is no Linux or Android", next="edgekit devices lists what is attached"
        )
    cpu: dict[str, str] = {}
    for line in raw.get("cpuinfo", "").splitlines():
        key, colon, value = line.partition(":")
        if colon:
            cpu.setdefault(key.strip().lower(), value.strip())
    memory = raw.get("meminfo", "").split()
    return Facts(
        props={name: raw.get(f"prop {name}", "") for name in PROPS},
        files={name: raw.get(f"file {name}", "").strip("\0") for name in FILES},
        cpu=cpu,
        machine=uname[1],
        system=uname[0],
        release=raw.get("release", ""),
        ram_kb=int(memory[1]) if len(memory) > 1 and memory[1].isdigit() else 0,
        virt=raw.get("virt", ""),
        signs=tuple(name for name in _SIGNS if raw.get(f"sign {name}")),
        shell=raw.get("shell", ""),
    )


def python(shell: Shell) -> Python | None:
    """The device's best Python: the first that has what tensors need, else the first there is; None without one."""
    tries = "\n".join(
        f'p={word}; [ -n "$p" ] && at=$(command -v "$p" 2> /dev/null) && "$p" -I -c "$look" "$at" 2> /dev/null'
        for word in PYTHONS
    )
    # $look is single-quoted text with double quotes and apostrophes: a here-document needs no quoting at all.
    script = f"look=$(cat <<'LOOK'\n{_LOOK}LOOK\n)\n{tries}\ntrue"
    found = [one for line in shell.run(script, timeout=120).text.splitlines() if (one := _python(line))]
    return next((one for one in found if not one.lacks("onnx")), found[0] if found else None)


def providers(shell: Shell, program: str) -> list[str]:
    """The execution providers of a Python's ONNX Runtime, by their short names; none where it cannot be imported."""
    look = f"{PATHS}; import onnxruntime as o; print(*o.get_available_providers())"
    script = f"{program} -I -c {quote(look)} 2> /dev/null"
    short = {long: name for name, long in PROVIDERS.items()}
    return [short.get(name, name) for name in shell.run(script, timeout=120).text.split()]


def _script() -> str:
    lines = ['echo "= uname"; uname -s; uname -m']
    lines += [f'echo "= file {name}"; cat {path} 2> /dev/null' for name, path in FILES.items()]
    lines.append("if command -v getprop > /dev/null; then")
    lines += [f'echo "= prop {name}"; getprop {name} < /dev/null' for name in PROPS]
    lines.append("fi")
    for name, paths in _SIGNS.items():
        lines.append(f'for f in {" ".join(paths)}; do [ -e $f ] && {{ echo "= sign {name}"; echo yes; }}; done')
    lines += [
        'echo "= cpuinfo"; head -n 40 /proc/cpuinfo 2> /dev/null; grep -m1 Hardware /proc/cpuinfo 2> /dev/null',
        'echo "= meminfo"; grep MemTotal /proc/meminfo',
        'echo "= release"; ( . /etc/os-release && echo "$PRETTY_NAME" ) 2> /dev/null',
        'echo "= virt"; systemd-detect-virt --vm 2> /dev/null',
        'echo "= shell"; readlink "/proc/$$/exe" 2> /dev/null',
        "true",
    ]
    return "\n".join(lines)


def _sections(text: str) -> dict[str, str]:
    """What stands below each "= NAME" line."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("= "):
            name = line[2:].strip()
            found[name] = []
        else:
            found.setdefault(name, []).append(line)
    return {key: "\n".join(lines).strip() for key, lines in found.items()}


def _python(line: str) -> Python | None:
    try:
        raw = json.loads(line)
        return Python(str(raw["exe"]), tuple(map(int, raw["version"])), dict(raw["have"]))
    except (ValueError, KeyError, TypeError):
        return None


def words(lacking: Iterable[str]) -> str:
    """The packages of a pip line."""
    return " ".join(f"'{name}'" if ">" in name else name for name in lacking)
