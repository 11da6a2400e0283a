"""An ARM64 Debian root with Python and the engines, whose programs run here under qemu's user emulation.

    python tests/peers/arm64_root.py                 make it (once, about a minute) and print its path
    python tests/peers/arm64_root.py run PROGRAM...  run a program of the root, or any ARM64 program

Debian's debootstrap fetches, and every package is unpacked: nothing is configured or started, so no chroot and no
binfmt is needed. The engines are the aarch64 wheels of the versions installed here. Needs debootstrap, dpkg-deb
and qemu-aarch64-static (apt: debootstrap qemu-user-static); debootstrap wants root.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from edgekit import cache
from edgekit.data import digest

TOOLS = ("debootstrap", "dpkg-deb", "qemu-aarch64-static")
SUITE = "bookworm"
PACKAGES = "python3,libpython3-stdlib,libstdc++6,libgomp1,zlib1g,libffi8,libssl3"
ENGINES = ("onnxruntime", "onnxruntime-genai", "numpy", "flatbuffers", "packaging", "protobuf")
PYTHON = "3.11"  # bookworm's
# ONNX Runtime reads the CPU's features here and crashes on an x86 text. A Cortex-A76, with what qemu's `max` can do.
CPUINFO = """\
processor	: 0
BogoMIPS	: 100.00
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x1
CPU part	: 0xd0b
CPU revision	: 0
"""


@dataclass(frozen=True)
class Root:
    """The root's folder; `site` in it holds the wheels."""

    path: Path

    def command(self, *argv: str | Path) -> list[str]:
        """What runs an ARM64 program here: one of the root by its path in it ("/usr/bin/python3.11"), or any other."""
        program, *words = map(str, argv)
        inside = self.path / program.lstrip("/")
        found = str(inside) if program.startswith("/") and inside.exists() else program
        return ["qemu-aarch64-static", "-L", str(self.path), "-cpu", "max", found, *words]

    def environment(self) -> dict[str, str]:
        """For its Python: where the wheels are, and no bytecode into them."""
        return {**os.environ, "PYTHONPATH": str(self.path / "site"), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, argv: Sequence[str | Path], *, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; its output is kept."""
        return subprocess.run(
            self.command(*argv), env=self.environment(), capture_output=True, text=True, timeout=timeout, check=False
        )

    def library(self, name: str) -> Path:
        """A file of the wheels: "libonnxruntime.so" with whatever version behind it."""
        return next((self.path / "site").rglob(f"{name}*"))


def arm64_root() -> Root:
    """The root, made once and shared; RuntimeError with the last words of the program that failed."""
    versions = {name: importlib.metadata.version(name) for name in ENGINES}
    name = digest({"suite": SUITE, "packages": PACKAGES, "cpuinfo": CPUINFO, **versions})[:16]
    final = cache.root() / "peers" / f"arm64-{name}"
    final.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(final.with_suffix(".lock")):
        if not final.is_dir():
            aside = final.with_name(f".{final.name}")
            shutil.rmtree(aside, ignore_errors=True)
            _make(aside, versions)
            aside.rename(final)
    return Root(final)


def _make(root: Path, versions: dict[str, str]) -> None:
    _run("debootstrap", "--arch=arm64", "--foreign", "--variant=minbase", f"--include={PACKAGES}", SUITE, root)
    for deb in sorted((root / "var/cache/apt/archives").glob("*.deb")):
        _run("dpkg-deb", "-x", deb, root)
    shutil.rmtree(root / "var")
    shutil.rmtree(root / "debootstrap")
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc/cpuinfo").write_text(CPUINFO, encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    pip += ["--only-binary=:all:", "--no-compile", f"--python-version={PYTHON}", "--implementation=cp"]
    pip += [f"--platform=manylinux{glibc}_aarch64" for glibc in ("_2_28", "_2_27", "_2_26", "2014", "_2_17")]
    _run(*pip, f"--target={root / 'site'}", *(f"{name}=={version}" for name, version in versions.items()))


def _run(*argv: str | Path) -> None:
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr + done.stdout).strip().splitlines() or ["it said nothing"]
        raise RuntimeError(f"{Path(argv[0]).name} failed: {said[-1]}")


def main() -> int:
    """See the module."""
    root = arm64_root()
    if sys.argv[1:2] == ["run"]:
        return subprocess.run(root.command(*sys.argv[2:]), env=root.environment(), check=False).returncode
    print(root.path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
