"""Where a bundle is checked: one file per transport, found by the first word of an address ("adb:SERIAL").

A transport is a module here with SCHEME, `open_device(address)` and `attached()`. It only moves files and starts the
bundle's runtime: what is measured is the runtime's matter, what it means is `edgekit check`'s.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from edgekit.bundle.manifest import Manifest
from edgekit.data import nearest
from edgekit.errors import UsageError
from edgekit.reading import Reader
from edgekit.report.measurement import Evidence

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


class Session(Protocol):
    """A bundle that lies on a device and can be run there; nothing of it is left when the session ends."""

    def act(self, action: str, request: Mapping[str, Any], *, timeout: float, tell: Tell) -> dict[str, Any]:
        """Do one action of the bundle's runtime in a fresh process on the device and return its outcome.

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
            trust: the bundle's own runtime may be executed though it is not this edgekit's (--trust-bundle-code).

        Raises:
            DeviceError: not reachable, busy with another check, full.
            ToolMissing: the transport's program, or a runtime for this device, is missing.
        """

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
    names = sorted(info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_"))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return {module.SCHEME: module for module in modules}
