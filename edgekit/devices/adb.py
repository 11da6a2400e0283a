"""adb:SERIAL and adb:HOST:PORT: an Android device, or any other that runs adbd, through the real adb client.

Every call names its device with -s; outputs are parsed and exit codes are not believed. $ANDROID_ADB_SERVER_PORT and
the other variables of adb count as they do for adb itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgekit import tools
from edgekit.devices import Found
from edgekit.devices._remote import RemoteDevice
from edgekit.devices._shell import AGAIN, Shell
from edgekit.errors import BuildError, DeviceError, UsageError

SCHEME = "adb"
INSTALL = "install Android's platform tools (Debian, Ubuntu: apt-get install adb)"
# Android's shell user may write here, and its TMPDIR says so; an embedded Linux with adbd has /tmp.
FIND_BASE = """
for d in "$TMPDIR" /data/local/tmp /tmp; do
  [ -n "$d" ] && [ -d "$d" ] && [ -w "$d" ] && { printf %s "$d/edgekit"; exit 0; }
done
"""
ANSWER_S = 30.0
_SERIAL = re.compile(r"[A-Za-z0-9[][A-Za-z0-9._:\[\]%-]*")
_NETWORK = re.compile(r"(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d{1,5}")
_LINE = re.compile(
    r"(?P<serial>\S+)\s+(?P<state>device|offline|unauthorized|no permissions.*?|[a-z]+)(?:\s+(?P<rest>.*))?"
)
# `adb devices` state -> what is in the way, and the line that helps (adb's sysdeps and transport.cpp name the states).
STATES = {
    "unauthorized": (
        "this computer is not allowed yet",
        "unlock the device and accept the question about USB debugging",
    ),
    "authorizing": ("the device is being asked", "unlock it and accept the question about USB debugging"),
    "offline": ("offline", "plug it in again, or run: adb -s SERIAL reconnect"),
    "no permissions": (
        "this user may not use its USB port",
        "apt-get install android-sdk-platform-tools-common, log in anew",
    ),
    "recovery": ("in recovery mode", "start Android: adb -s SERIAL reboot"),
    "sideload": ("in sideload mode", "start Android: adb -s SERIAL reboot"),
    "bootloader": ("in its bootloader", "start Android: fastboot -s SERIAL reboot"),
    "connecting": ("still connecting", "run the same command again in a moment"),
    "host": ("another computer's adb", "connect the device itself"),
}


@dataclass(frozen=True)
class Listed:
    """A line of `adb devices -l`."""

    serial: str
    state: str
    model: str


def open_device(address: str) -> RemoteDevice:
    """The device of an adb address; nothing is connected yet.

    Raises:
        UsageError: an address that is none.
    """
    serial = address.removeprefix(f"{SCHEME}:")
    if not address.startswith(f"{SCHEME}:") or not _SERIAL.fullmatch(serial):
        raise UsageError(
            f"{address!r} is no adb address", next="--device adb:SERIAL or adb:HOST:PORT (edgekit devices lists them)"
        )
    return RemoteDevice(address, lambda: _connect(address, serial), FIND_BASE)


def attached() -> list[Found]:
    """What `adb devices` lists; each one that is ready is looked at.

    Raises:
        ToolMissing: adb is not installed.
    """
    found = []
    for one in listed(_adb()):
        address = f"{SCHEME}:{one.serial}"
        if one.state == "device":
            found.append(open_device(address).found())
        else:
            state, step = _state(one)
            found.append(Found(address, state, step, {"model": one.model} if one.model else {}))
    return found


def listed(adb: Path) -> list[Listed]:
    """The devices that the adb server knows."""
    text = _run([adb, "devices", "-l"]).stdout.replace("\r\n", "\n")
    return parse(text)


def parse(text: str) -> list[Listed]:
    """The devices of an output of `adb devices -l`; what is no line of a device is left out."""
    found = []
    _, header, body = text.partition("List of devices attached")
    for line in body.splitlines() if header else ():
        match = _LINE.fullmatch(line.strip())
        if match is None:
            continue
        words = dict(word.split(":", 1) for word in (match["rest"] or "").split() if ":" in word)
        state = (
            "no permissions"
            if match["state"].startswith("no permissions") or match["state"] == "no"
            else match["state"]
        )
        found.append(Listed(match["serial"], state, words.get("model", "").replace("_", " ")))
    return found


@contextmanager
def _connect(address: str, serial: str) -> Iterator[Shell]:
    """A shell on one device; a network address is connected first, and disconnected if nobody had done so before."""
    adb = _adb()
    ours = False
    state = _state_of(adb, serial)
    if state != "device" and _NETWORK.fullmatch(serial):
        ours = state is None
        _dial(adb, address, serial)
        state = _state_of(adb, serial)
    if state is None:
        raise DeviceError(
            f"{address} is not attached", next="plug it in and allow USB debugging; edgekit devices lists them"
        )
    if state != "device":
        cause, step = _state(Listed(serial, state, ""))
        raise DeviceError(f"{address} cannot be used: {cause}", next=step)
    try:
        yield Shell(
            address,
            argv=lambda script: [str(adb), "-s", serial, "shell", "-T", script],
            explain=lambda stderr: _explain(address, stderr),
        )
    finally:
        if ours:
            _run([adb, "disconnect", serial])


def _dial(adb: Path, address: str, serial: str) -> None:
    """adb connect. A connection that died counts as connected until it is cut, so it is cut first."""
    _run([adb, "disconnect", serial])
    said = _run([adb, "connect", serial])
    text = (said.stdout + said.stderr).strip()
    if not text.startswith(("connected to", "already connected to")):
        last = text.splitlines()[-1][:200] if text else "adb said nothing"
        raise DeviceError(
            f"{address} cannot be reached: {last}",
            next="switch wireless debugging on there, or run once over USB: adb tcpip 5555",
        )


def _state_of(adb: Path, serial: str) -> str | None:
    return next((one.state for one in listed(adb) if one.serial == serial), None)


def _state(one: Listed) -> tuple[str, str]:
    cause, step = STATES.get(one.state, (f"adb calls it {one.state}", "see: adb devices -l"))
    return cause, step.replace("SERIAL", one.serial)


def _explain(address: str, stderr: str) -> DeviceError | None:
    """What adb complains about (client/commandline.cpp, adb.cpp and transport.cpp have its messages)."""
    gone = re.search(r"device '[^']*' not found|no devices/emulators found|device offline|error: closed", stderr)
    if gone:
        return DeviceError(f"{address} has gone ({gone[0]})", next=AGAIN)
    if "unauthorized" in stderr:
        cause, step = STATES["unauthorized"]
        return DeviceError(f"{address} cannot be used: {cause}", next=step)
    if "cannot connect to daemon" in stderr or "failed to start daemon" in stderr:
        return DeviceError("adb's server does not start", next="run: adb kill-server && adb start-server")
    return None


def _adb() -> Path:
    return tools.find("adb", next=INSTALL)


def _run(argv: list[str | Path]) -> tools.Done:
    try:
        return tools.run(argv, timeout=ANSWER_S)
    except BuildError:
        raise DeviceError(
            f"adb {argv[1]} did not end within {ANSWER_S:.0f} s", next="run: adb kill-server, then try again"
        ) from None
