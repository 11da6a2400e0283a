"""A machine to log in to: a real sshd on loopback, with keys and known hosts that are thrown away afterwards."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Host:
    """A running sshd.

    Attributes:
        address: as --device takes it.
        home: where it keeps what edgekit sends (its XDG_CACHE_HOME).
        env: the environment in which edgekit finds the keys.
        pid: of the sshd that listens.
    """

    address: str
    home: Path
    env: dict[str, str]
    pid: int
    folder: Path

    @property
    def base(self) -> Path:
        """The folder that edgekit uses there."""
        return self.home / "edgekit-device"

    def cut(self) -> None:
        """End every connection; new ones are taken."""
        for child in _children(self.pid):
            os.kill(child, signal.SIGKILL)

    def forget(self) -> None:
        """The client no longer knows this host's key."""
        (self.folder / "known_hosts").write_text("")

    def mistake(self) -> None:
        """The client knows another key of this host."""
        known = self.folder / "known_hosts"
        known.write_text(" ".join([known.read_text().split()[0], (self.folder / "user_key.pub").read_text()]))


@contextmanager
def ssh_host(sshd: Path, folder: Path, *, env: Mapping[str, str] | None = None) -> Iterator[Host]:
    """Run sshd until the block is left.

    Args:
        folder: an existing folder for keys, configuration and the machine's cache folder.
        env: what programs see there; PATH decides which python3 it has.
    """
    for name in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
    home = folder / "machine cache"
    home.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told = {"XDG_CACHE_HOME": str(home), **(env or {})}
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nPasswordAuthentication no\n"
        f"PermitRootLogin yes\nMaxStartups 100\nPrintMotd no\n"
        + "SetEnv "
        + " ".join(f'"{name}={value}"' for name, value in told.items())
        + "\n"
    )
    host_key = (folder / "host_key.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {' '.join(host_key)}\n")
    (folder / "ssh_config").write_text(
        f"IdentityFile {folder}/user_key\nIdentitiesOnly yes\nUserKnownHostsFile {folder}/known_hosts\n"
        "GlobalKnownHostsFile /dev/null\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen([sshd, "-D", "-e", "-f", config], stderr=log, start_new_session=True)
    try:
        _wait(port, process, folder / "sshd.log")
        address = f"ssh:{getpass.getuser()}@127.0.0.1:{port}"
        yield Host(address, home, {"EDGEKIT_SSH_CONFIG": str(folder / "ssh_config")}, process.pid, folder)
    finally:
        for child in _children(process.pid):
            os.kill(child, signal.SIGKILL)
        process.kill()
        process.wait()


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    limit = time.monotonic() + 30
    while time.monotonic() < limit and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"sshd did not start: {log.read_text()}")


def _children(pid: int) -> list[int]:
    """The processes of the connections, by their parent in /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found
