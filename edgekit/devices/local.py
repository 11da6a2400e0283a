"""This machine: edgekit's own Python runtime in a child process, beside the bundle and never from it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from edgekit import cache, tools
from edgekit.bundle.runtime import command, foreign
from edgekit.contract.manifest import Manifest
from edgekit.devices import Finding, Found, Look, Tell
from edgekit.devices._reader import LocalReader
from edgekit.errors import DeviceError, UsageError
from edgekit.reading import Reader
from edgekit.results.measurement import Evidence
from edgekit.wrappers.python.manifest import PROVIDERS, host_abi, host_os

SCHEME = "local"


class LocalSession:
    """A bundle where it lies; only a trusted one's runtime is executed from there."""

    def __init__(self, bundle: Path, manifest: Manifest, scratch: Path, *, trust: bool) -> None:
        self._bundle, self._scratch = bundle, scratch
        self._foreign = foreign(manifest)
        self._command = command(bundle, trust=trust)
        self.runtime = self._command.whose

    def act(self, action: str, request: Mapping[str, Any], *, timeout: float, tell: Tell) -> dict[str, Any]:
        """See Session.act."""
        full = {"action": action, "bundle": str(self._bundle), "foreign": self._foreign, **request}
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            return tools.job(
                self._command.argv,
                full,
                Path(folder),
                timeout=timeout,
                what="the runtime",
                on_event=lambda event: tell(str(event.get("text", ""))),
                env=self._command.env,
            )


class Local:
    """The machine edgekit runs on."""

    address = SCHEME

    def __init__(self) -> None:
        folder = cache.root() / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / "local.lock")

    @contextmanager
    def session(self, bundle: Path, manifest: Manifest, *, trust: bool = False) -> Iterator[LocalSession]:
        """See Device.session. Two checks at once would measure each other, so the second is refused.

        One device object may hold several sessions at once: two bundles taken in turns.
        """
        try:
            self._lock.acquire(timeout=0.1)
        except Timeout:
            raise DeviceError(
                "another check is running on this machine", next="wait for its end: two would measure each other"
            ) from None
        try:
            with tempfile.TemporaryDirectory(prefix="edgekit-check-") as scratch:
                yield LocalSession(bundle.absolute(), manifest, Path(scratch), trust=trust)
        finally:
            self._lock.release()

    def findings(self, look: Look) -> Iterator[Finding]:
        """See Device.findings."""
        from edgekit.wrappers.python import machine

        facts = machine.facts()
        words = f"{facts['cpu'] or 'CPU'}, {facts['cores']} cores, {facts['ram_mb']} MB"
        yield Finding("device", SCHEME, "ok", words)
        if facts["hypervisor"]:
            yield Finding("device", "evidence", "note", "a virtual machine: its figures are its own, not a device's")
        yield from look.fits(host_os(), host_abi(), facts["ram_mb"])
        yield from look.sensors(self.reader())

    def reader(self) -> Reader:
        """See Device.reader."""
        return LocalReader()

    def evidence(self, facts: Mapping[str, Any]) -> Evidence:
        """This machine is the host, virtual or not: its numbers are its own."""
        return "host"


def open_device(address: str) -> Local:
    """`local` takes no further words."""
    if address != SCHEME:
        raise UsageError(f"{address!r} is no device: local stands alone", next="--device local")
    return Local()


def attached() -> list[Found]:
    """This machine, always."""
    import onnxruntime

    from edgekit.wrappers.python import machine

    here = onnxruntime.get_available_providers()
    eps = [name for name, provider in PROVIDERS.items() if provider in here]
    return [Found(SCHEME, "ready", "", {**machine.facts(), "eps": eps})]
