"""A phone for tests: a root folder, an adb_peer process that serves it, and an adb server of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

COUNT = 10**12  # a cut that far away only counts
PEER = Path(__file__).with_name("adb_peer.py")
# What getprop says: a Pixel 8's names for itself (as public build.prop dumps have them), so that parsing meets real
# words. The evidence stays `emulated`, since /proc tells of this machine's CPU.
PIXEL_8 = {
    "ro.build.version.release": "15",
    "ro.build.version.sdk": "35",
    "ro.product.manufacturer": "Google",
    "ro.product.model": "Pixel 8",
    "ro.product.device": "shiba",
    "ro.product.cpu.abi": "arm64-v8a",
    "ro.soc.manufacturer": "Google",
    "ro.soc.model": "Tensor G3",
    "ro.board.platform": "zuma",
    "ro.hardware": "shiba",
}
GETPROP = """#!/bin/sh
while read -r line; do
  [ "${line%%=*}" = "$1" ] && echo "${line#*=}"
done < "$HOME/build.prop"
"""


def make_root(root: Path, *, props: Mapping[str, str] | None = None, programs: Mapping[str, str] | None = None) -> None:
    """Fill a device's root: toybox's programs, as on Android, or else this machine's; build.prop; own programs.

    Args:
        props: what getprop says; no getprop at all without them (an embedded Linux).
        programs: text of more programs by name.
    """
    for folder in ("system/bin", "data/local/tmp"):
        (root / folder).mkdir(parents=True)
    toybox = shutil.which("toybox")
    if toybox is not None:
        names = subprocess.run([toybox], capture_output=True, text=True, check=True).stdout.split()
        for name in names:
            (root / "system/bin" / name).symlink_to(toybox)
    others = [path.name for path in Path("/bin").iterdir()] if toybox is None else []
    for name in ["sh", *others]:
        path, found = root / "system/bin" / name, shutil.which(name)
        if not path.exists() and found is not None:
            path.symlink_to(found)
    own = dict(programs or {})
    if props is not None:
        (root / "build.prop").write_text("".join(f"{name}={value}\n" for name, value in props.items()))
        own["getprop"] = GETPROP
    for name, text in own.items():
        path = root / "system/bin" / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o755)


def arm64_programs(arm64: Path, qemu: Path) -> dict[str, str]:
    """Programs for make_root that make a phone an ARM64 machine whose Python is that of tests/peers/arm64_root.py.

    edgekit-runner, an ARM64 program, starts there with the variable EDGEKIT_RUN_WITH = `arm64_runs_with`.
    """
    python = f"{arm64_runs_with(arm64, qemu)} {arm64}/usr/bin/python3.11"
    return {
        "uname": '#!/bin/sh\ncase "$1" in -m) echo aarch64 ;; *) echo Linux ;; esac\n',
        "python3": f'#!/bin/sh\nexport PYTHONPATH="${{PYTHONPATH:+$PYTHONPATH:}}{arm64}/site"\nexec {python} "$@"\n',
    }


def arm64_runs_with(arm64: Path, qemu: Path) -> str:
    """What runs an ARM64 program here."""
    return f"{qemu} -L {arm64} -cpu max"


class Phone:
    """A running phone.

    Attributes:
        root: its root folder.
        serial: what adb calls it.
    """

    def __init__(self, root: Path, process: subprocess.Popen[str], port: int) -> None:
        self.root, self._process, self.port = root, process, port
        self.serial = f"127.0.0.1:{port}"

    @property
    def address(self) -> str:
        """As --device takes it."""
        return f"adb:{self.serial}"

    @property
    def base(self) -> Path:
        """The folder that edgekit uses there."""
        return self.root / "data/local/tmp/edgekit"

    def fault(self, **faults: object) -> None:
        """Arm faults (see adb_peer); those armed before are forgotten."""
        aside = self.root.parent / "faults.new"
        aside.write_text(json.dumps(faults))
        aside.replace(self.root.parent / "faults.json")

    def sent(self) -> int:
        """Bytes that came from the client since `fault(cut=COUNT)`, which must not have struck."""
        return COUNT - int(json.loads((self.root.parent / "faults.json").read_text())["cut"])

    def freeze(self) -> None:
        """It stops answering; connections stay open."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        os.kill(self._process.pid, signal.SIGCONT)

    def vanish(self) -> None:
        """It is switched off."""
        self._process.kill()
        self._process.wait()


@contextmanager
def phone(root: Path, *, shell: str = "sh -c", env: Mapping[str, str] | None = None, port: int = 0) -> Iterator[Phone]:
    """Serve a root that make_root made, with these variables, until the block is left."""
    extra = [word for name, value in (env or {}).items() for word in ("--env", f"{name}={value}")]
    process = subprocess.Popen(
        [sys.executable, str(PEER), "--root", str(root), "--shell", shell, "--port", str(port), *extra],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        yield Phone(root, process, int(process.stdout.readline().split()[1]))
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def adb_server(adb: Path, home: Path) -> Iterator[dict[str, str]]:
    """An adb server of one's own; gives the environment in which adb, and edgekit, use it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = {"ANDROID_ADB_SERVER_PORT": str(port), "HOME": str(home), "ADB_MDNS_AUTO_CONNECT": "0"}
    subprocess.run([adb, "start-server"], env={**os.environ, **env}, check=True, capture_output=True, timeout=60)
    try:
        yield env
    finally:
        subprocess.run([adb, "kill-server"], env={**os.environ, **env}, capture_output=True, timeout=60)
