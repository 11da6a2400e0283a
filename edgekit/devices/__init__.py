"""Where a bundle is checked: one file per transport, found by the first word of an address ("adb:SERIAL").

A transport is a module here with SCHEME, `open_device(address)` and `attached()`. It only moves files and starts the
bundle's runtime: what is measured is the runtime's matter, what it means is `edgekit check`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol

from edgekit import registry
from edgekit.contract.manifest import Manifest
from edgekit.data import nearest
from edgekit.errors import UsageError
from edgekit.reading import Reader
from edgekit.results.measurement import Evidence

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """A device that is attached: a line of `edgekit devices`.

    Attributes:
        address: what --device takes ("adb:R5CT1234").
        state: "ready", or what is in the way in a few words ("unauthorized").
        next: the line that closes the gap; empty for a ready one.
        facts: what could be read without a bundle: model, os, soc, abi, ram_mb, eps.
    """

    address: str
    state: str
    next: str
    facts: Mapping[str, Any]


State = Literal["ok", "note", "gap"]
End = Literal["here", "target", "device"]


@dataclass(frozen=True)
class Finding:
    """One thing that `edgekit doctor` looked at.

    Attributes:
        end: where it is.
        state: "gap" is in the way of what was asked for; "note" is worth knowing.
        next: the line that closes the gap; empty where there is none to close.
        exit_code: of the command, if this is a gap; 0 otherwise.
    """

    end: End
    what: str
    state: State
    detail: str
    next: str = ""
    exit_code: int = 0


class Look(Protocol):
    """What a doctor looks at on any device that can be reached."""

    def fits(self, os: str, abi: str, ram_mb: int | None) -> Iterator[Finding]:
        """Whether the target that was asked about is for such a machine, and how large its models may be."""

    def sensors(self, reader: Reader) -> Iterator[Finding]:
        """Power meters and heat."""


class Session(Protocol):
    """A bundle that lies on a device and can be run there; nothing of it is left when the session ends.

    Attributes:
        runtime: whose runtime runs it, in words: edgekit's own, or the bundle's where it is trusted (TRUSTED).
    """

    runtime: str

    def act(self, action: str, request: Mapping[str, Any], *, timeout: float, tell: Tell) -> dict[str, Any]:
        """Do one action of the runtime in a fresh process on the device and return its outcome.

        Args:
            action: "identify", "load", "goldens", "bench", ... (see wrappers/python/__main__.py).
            request: the action's own keys; `bundle` and `action` are added by the session.
            timeout: seconds; the process is then killed, on the device too.
            tell: told what the runtime reports meanwhile.

        Raises:
            EdgekitError: what the runtime refused, or DeviceError when the device or the process is gone.
        """


class Device(Protocol):
    """One device, reached by one transport."""

    address: str

    def session(self, bundle: Path, manifest: Manifest, *, trust: bool = False) -> AbstractContextManager[Session]:
        """Lock the device, put the bundle and a runtime on it, and take both away at the end.

        Args:
            trust: execute the runtime that lies in the bundle (--trust-bundle-code), where it is Python's that runs.

        Raises:
            DeviceError: not reachable, busy with another check, full.
            ToolMissing: the transport's program, or a runtime for this device, is missing.
        """

    def findings(self, look: Look) -> Iterator[Finding]:
        """What `edgekit doctor` says of it: whether it can be reached, what it is, and what is missing there."""

    def evidence(self, facts: Mapping[str, Any]) -> Evidence:
        """What a measurement here is worth, by the outcome of `identify`: host, device or emulated."""

    def reader(self) -> Reader:
        """The device's files and programs, for meters; it may be used inside a session and without one."""


def open_device(address: str) -> Device:
    """The device of an address: local, ssh:user@host[:port], adb:SERIAL, adb:HOST:PORT, ios:UDID.

    Raises:
        UsageError: no such transport (the nearest is suggested), or an address that it does not take.
    """
    scheme = address.partition(":")[0]
    known = transports()
    if scheme not in known:
        raise UsageError(
            f"unknown kind of device {scheme!r}{nearest(scheme, known)}",
            next=f"one of: {', '.join(sorted(known))} (edgekit devices lists what is attached)",
        )
    device: Device = known[scheme].open_device(address)
    return device


def transports() -> dict[str, ModuleType]:
    """The transports by scheme."""
    names = registry.members("edgekit.devices")
    modules = [registry.member("edgekit.devices", name) for name in names]
    return {module.SCHEME: module for module in modules}
