"""ssh:[user@]host[:port]: a Linux device, through the system's own OpenSSH client.

Keys, jump hosts and known hosts are OpenSSH's matter (~/.ssh/config counts, and a file named by $EDGEKIT_SSH_CONFIG
instead of it); nothing is ever asked for (BatchMode). One connection is kept open and shared while a session lasts.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edgekit import tools
from edgekit.devices import Found
from edgekit.devices._remote import RemoteDevice
from edgekit.devices._shell import AGAIN, Shell
from edgekit.errors import BuildError, DeviceError, UsageError

SCHEME = "ssh"
INSTALL = "install OpenSSH's client (Debian, Ubuntu: apt-get install openssh-client)"
# The home's cache folder, under another name than edgekit's own: a device may also be a build machine.
FIND_BASE = 'printf %s "${XDG_CACHE_HOME:-$HOME/.cache}/edgekit-device"'
_ADDRESS = re.compile(
    r"ssh:(?:(?P<user>[^@\s/:-][^@\s/:]*)@)?(?P<host>\[[0-9a-zA-Z:.%]+\]|[^@\s/:\[\]-][^@\s/:\[\]]*)(?::(?P<port>\d{1,5}))?"
)
_OPTIONS = {
    "BatchMode": "yes",
    "ConnectTimeout": "10",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "LogLevel": "ERROR",
    "ClearAllForwardings": "yes",
}


def open_device(address: str) -> RemoteDevice:
    """The device of an ssh address; nothing is connected yet.

    Raises:
        UsageError: an address that is none.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None or not 0 < int(found["port"] or 22) < 65536:
        raise UsageError(f"{address!r} is no ssh address", next="--device ssh:user@host or ssh:user@host:2222")
    host = found["host"].strip("[]")
    words = ["-l", found["user"]] if found["user"] else []
    words += ["-p", found["port"]] if found["port"] else []
    return RemoteDevice(address, lambda: _connect(address, host, words), FIND_BASE)


def attached() -> list[Found]:
    """None: a network has no list of the machines one may log in to. `edgekit devices show ssh:HOST` looks at one."""
    return []


@contextmanager
def _connect(address: str, host: str, words: list[str]) -> Iterator[Shell]:
    """A shell over one shared connection, which is closed with the block."""
    ssh = str(tools.find("ssh", next=INSTALL))
    common = [ssh, *(word for name, value in _OPTIONS.items() for word in ("-o", f"{name}={value}")), *words]
    if config := os.environ.get("EDGEKIT_SSH_CONFIG"):
        common += ["-F", config]
    folder = None
    if os.name != "nt":  # Windows' OpenSSH shares no connections
        folder = Path(tempfile.mkdtemp(prefix="ek-"))  # short: a socket's path has 104 bytes at most
        common += ["-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", f"ControlPath={folder}/c"]
    try:
        yield Shell(
            address,
            argv=lambda script: [*common, "-T", "--", host, f"exec sh -c {_quoted(script)}"],
            explain=lambda stderr: _explain(address, host, words, stderr),
        )
    finally:
        if folder is not None:
            with suppress(BuildError):  # a connection that hangs ends by itself
                tools.run([*common, "-O", "exit", "--", host], timeout=10)
            shutil.rmtree(folder, ignore_errors=True)


def _quoted(script: str) -> str:
    """A script as one word for any login shell, fish too: quotes alone, no backslash before one."""
    return "'" + script.replace("'", "'\"'\"'") + "'"


def _explain(address: str, host: str, words: list[str], stderr: str) -> DeviceError | None:
    """What OpenSSH complains about, with the line that helps. Its messages: ssh.c, sshconnect.c, sshconnect2.c."""
    named = f"'[{host}]:{words[-1]}'" if "-p" in words else host  # as known_hosts has it
    known = {
        "HOST IDENTIFICATION HAS CHANGED": (
            f"the host key of {host} is another than before: it was set up anew, or somebody else answers",
            f"ask who runs it; if the new key is right: ssh-keygen -R {named}, then log in once by hand",
        ),
        "Host key verification failed": (
            f"the host key of {host} is not known here",
            f"log in once by hand and compare the key: {' '.join(['ssh', *words, host])}",
        ),
        "Permission denied": (
            f"{host} takes none of your keys",
            f"ssh-copy-id {host}, or load your key with ssh-add; a password cannot be asked for here",
        ),
        "Could not resolve hostname": (f"there is no host named {host}", "check the name, or give its IP address"),
        "Connection refused": (
            f"{host} has no ssh server on this port",
            "start sshd there, or give the port: ssh:user@host:PORT",
        ),
        "Connection timed out": (f"{host} does not answer", AGAIN),
        "No route to host": (f"{host} cannot be reached from here", AGAIN),
        "Bad configuration option": ("ssh's configuration cannot be read", "see with --verbose what ssh says"),
    }
    for said, (cause, step) in known.items():
        if said in stderr:
            return DeviceError(f"{address}: {cause}", next=step)
    return None
