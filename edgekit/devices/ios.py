"""ios:UDID: an iPhone or iPad, from a Mac, through `xcrun devicectl` (Xcode 15 or later) and the sample app.

An iPhone runs apps, not programs, so the runtime is the sample app (mobile_samples/ios) in its check mode:

    APP --edgekit-check Documents/edgekit/jobs/N/request.json

It does one action as every runtime does (JSON lines of events on standard output, outcome.json written last, beside the
request), and two more: `hash` answers {"sha256": {path: hex}} for the files below request["folder"], `remove` deletes
request["folder"]. Paths in requests are relative to the app's container. devicectl can copy but not delete, and cannot
make a file only once, so the lock is this Mac's alone, and the app starts each action by ending the one before.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from edgekit import console, tools
from edgekit.bundle.runtime import foreign
from edgekit.contract.manifest import NAME, Manifest
from edgekit.data import digest, file_digest
from edgekit.devices import Finding, Found, Look, Tell
from edgekit.devices._lock import held_here
from edgekit.devices._push import Item
from edgekit.devices._shell import AGAIN, FREE_SPACE
from edgekit.errors import BuildError, DeviceError, EdgekitError, ToolMissing, UsageError, from_child
from edgekit.reading import Poll, Reader, Reading, Source
from edgekit.results.measurement import Evidence

SCHEME = "ios"
APP = "dev.edgekit.sample"  # $EDGEKIT_IOS_APP names another bundle identifier
MAC = "iOS devices are checked from a Mac with Xcode 15 or later: run the same command there"
HOME = "Documents/edgekit"
ANSWER_S = 60.0
COPY_S = 1800.0
GRACE_S = 20.0
_UDID = re.compile(r"[0-9A-Fa-f-]{8,64}")


def open_device(address: str) -> Ios:
    """The device of an ios address; nothing is connected yet.

    Raises:
        UsageError: an address that is none.
    """
    udid = address.removeprefix(f"{SCHEME}:")
    if not address.startswith(f"{SCHEME}:") or not _UDID.fullmatch(udid):
        raise UsageError(f"{address!r} is no iOS address", next="--device ios:UDID (edgekit devices lists them)")
    return Ios(address, udid)


def attached() -> list[Found]:
    """The paired devices that devicectl knows.

    Raises:
        ToolMissing: this is no Mac, or it has no Xcode.
    """
    return [found(one) for one in _devices()]


def found(device: Mapping[str, Any]) -> Found:
    """A line of `edgekit devices` from one entry of `devicectl list devices --json-output`."""
    hardware, properties = device.get("hardwareProperties", {}), device.get("deviceProperties", {})
    connection = device.get("connectionProperties", {})
    state, step = _state(connection, properties)
    facts = {
        "model": hardware.get("marketingName") or hardware.get("productType"),
        "os": "ios",
        "os_version": " ".join(filter(None, ("iOS", properties.get("osVersionNumber")))),
        "soc": hardware.get("hardwareModel"),
        "abi": {"arm64e": "aarch64", "arm64": "aarch64"}.get((hardware.get("cpuType") or {}).get("name", "")),
        "ram_mb": None,
        "eps": ["cpu", "coreml"],
        "evidence": _evidence(hardware),
    }
    return Found(f"{SCHEME}:{hardware.get('udid') or device.get('identifier')}", state, step, facts)


class Ios:
    """One iPhone or iPad."""

    def __init__(self, address: str, udid: str) -> None:
        self.address, self._udid = address, udid

    @contextmanager
    def session(self, bundle: Path, manifest: Manifest, *, trust: bool = False) -> Iterator[IosSession]:
        """See Device.session. The app is the runtime: nothing of the bundle is executed, so trust changes nothing."""
        with held_here(self.address):
            line = self.found()
            if line.state != "ready":
                raise DeviceError(f"{self.address} cannot be used: {line.state}", next=line.next)
            session = IosSession(self.address, self._udid, foreign=foreign(manifest, "ios", "aarch64"))
            try:
                with console.step(f"sending the bundle to {self.address}"):
                    session.push(_items(bundle, manifest))
                yield session
            finally:
                session.tidy()

    def evidence(self, facts: Mapping[str, Any]) -> Evidence:
        """See Device.evidence: devicectl says whether a device is physical."""
        return "device" if self.found().facts.get("evidence") == "device" else "emulated"

    def found(self) -> Found:
        """A line of `edgekit devices` for this device."""
        for entry in _devices():
            if self._udid in (entry.get("hardwareProperties", {}).get("udid"), entry.get("identifier")):
                return found(entry)
        return Found(self.address, "not attached", "plug it in, unlock it and trust this Mac", {})

    def findings(self, look: Look) -> Iterator[Finding]:
        """See Device.findings; it is looked at without a shell."""
        try:
            line = self.found()
        except EdgekitError as error:
            yield Finding("device", self.address, "gap", error.message, error.next, error.exit_code)
            return
        if line.state != "ready":
            yield Finding("device", self.address, "gap", line.state, line.next, DeviceError.exit_code)
            return
        yield Finding("device", self.address, "ok", f"{line.facts['model']}, {line.facts['os_version']}")
        yield from look.fits("ios", str(line.facts["abi"] or "aarch64"), line.facts["ram_mb"])

    def reader(self) -> Reader:
        """See Device.reader: an iPhone shows a Mac neither files nor programs."""
        return _Nothing()

    def clean(self) -> int:
        """Remove everything edgekit keeps in the app's container; how much that was is not told."""
        with held_here(self.address):
            session = IosSession(self.address, self._udid, foreign=False)
            session.act("remove", {"folder": HOME}, timeout=60, tell=console.tick)
        return 0


class _Nothing:
    """A machine that shows nothing; see Reader, and Poll for its poll."""

    def __init__(self, sources: Sequence[Source] = ()) -> None:
        self._texts, self._began = (None,) * len(sources), time.monotonic()

    def text(self, path: str) -> str:
        raise FileNotFoundError(path)

    def find(self, pattern: str) -> list[str]:
        return []

    def run(self, *argv: str, stdin: str = "") -> str:
        raise FileNotFoundError(argv[0])

    def poll(self, sources: Sequence[Source], period_s: float) -> Poll:
        return _Nothing(sources)

    def stop(self) -> list[Reading]:
        return [Reading(at, self._texts) for at in (self._began, time.monotonic())]


class IosSession:
    """A bundle in the app's container; see Session."""

    def __init__(self, address: str, udid: str, *, foreign: bool) -> None:
        self._address, self._udid, self._foreign = address, udid, foreign
        self._bundle, self.runtime = "", "the sample app's"
        self._numbers = itertools.count(1)

    def push(self, items: Sequence[Item]) -> None:
        """Copy what the container lacks, and compare every hash there.

        Raises:
            DeviceError: a full device, or a file that arrives changed twice.
        """
        self._bundle = f"{HOME}/bundles/{digest([[item.path, item.size, item.sha256] for item in items])[:24]}"
        for _ in range(3):
            there = self.act("hash", {"folder": self._bundle}, timeout=600, tell=console.tick)["sha256"]
            missing = [item for item in items if there.get(item.path) != item.sha256]
            if not missing:
                return
            self._copy(missing, self._bundle)
        raise DeviceError(f"{missing[0].path} arrived changed on {self._address}, twice", next=AGAIN)

    def act(self, action: str, request: Mapping[str, Any], *, timeout: float, tell: Tell) -> dict[str, Any]:
        """See Session.act."""
        job = f"{HOME}/jobs/{next(self._numbers)}-{secrets.token_hex(4)}"
        full = {"action": action, "bundle": self._bundle, "foreign": self._foreign, **request}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "request.json"
            path.write_text(json.dumps(full, ensure_ascii=False), encoding="utf-8")
            self._copy([Item("request.json", path, path.stat().st_size, "")], job)
            said = self._launch(f"{job}/request.json", timeout, tell)
            outcome = Path(folder) / "outcome.json"
            done = _devicectl([*self._from(f"{job}/outcome.json"), "--destination", str(outcome)], COPY_S)
            if not outcome.is_file():
                raise DeviceError(
                    f"the app on {self._address} stopped without a result: {said or _last(done)}",
                    next="look at the app's crash report in Xcode's Devices window (jetsam there means its memory)",
                )
            return _outcome(outcome, self._address)

    def tidy(self) -> None:
        """Remove the jobs of this session; a device that has gone keeps them until the next."""
        with suppress(EdgekitError):
            self.act("remove", {"folder": f"{HOME}/jobs"}, timeout=60, tell=console.tick)

    def _launch(self, request: str, timeout: float, tell: Tell) -> str:
        """Run the app to its end; returns the last line that was no event."""
        words = ["device", "process", "launch", "--console", "--terminate-existing", "--device", self._udid]
        argv = [str(_xcrun()), "devicectl", *words, _app(), "--edgekit-check", request]
        expired, other = threading.Event(), ""
        with tools.streaming(argv) as stream:

            def expire() -> None:
                expired.set()
                stream.kill()

            timer = threading.Timer(timeout + GRACE_S, expire)
            timer.start()
            try:
                for line in stream.lines():
                    event = _event(line)
                    if event is not None:
                        tell(str(event.get("text", "")))
                    elif line.strip():
                        other = line.strip()[:300]
            finally:
                timer.cancel()
            stream.ended(5)
            complaint = stream.stderr()
        if expired.is_set():
            raise DeviceError(f"the app on {self._address} did not end within {timeout:.0f} s", next=AGAIN)
        if "is not installed" in complaint or "No such bundle" in complaint or "unable to find" in complaint.lower():
            raise ToolMissing(
                f"the sample app {_app()} is not installed on {self._address}",
                next="make it (edgekit sample ios), open it in Xcode, choose your team, and run it once on the device",
            )
        return (complaint.strip().splitlines() or [other])[-1][:300]

    def _copy(self, items: Sequence[Item], to: str) -> None:
        """Copy files into a folder of the container. devicectl copies what lies in a folder, so one is laid out."""
        with tempfile.TemporaryDirectory() as folder:
            for item in items:
                place = Path(folder) / item.path
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(item.local, place)
            done = _devicectl(
                ["device", "copy", "to", *self._domain(), "--source", folder, "--destination", to], COPY_S
            )
        text = done.stdout + done.stderr
        if "No space left" in text or "out of space" in text.lower():
            raise DeviceError(f"{self._address} is full", next=FREE_SPACE.replace("ADDRESS", self._address))
        if done.returncode:
            raise DeviceError(f"{self._address}: copying failed: {_last(done)}", next=AGAIN)

    def _from(self, source: str) -> list[str]:
        return ["device", "copy", "from", *self._domain(), "--source", source]

    def _domain(self) -> list[str]:
        return ["--device", self._udid, "--domain-type", "appDataContainer", "--domain-identifier", _app()]


def _devices() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "devices.json"
        done = _devicectl(["list", "devices", "--json-output", str(path)], ANSWER_S)
        try:
            devices = json.loads(path.read_text(encoding="utf-8"))["result"]["devices"]
        except (OSError, ValueError, KeyError, TypeError):
            raise DeviceError(
                f"devicectl lists no devices: {_last(done)}", next="xcrun devicectl list devices"
            ) from None
    return [one for one in devices if one.get("hardwareProperties", {}).get("platform", "iOS") in ("iOS", "iPadOS")]


def _state(connection: Mapping[str, Any], properties: Mapping[str, Any]) -> tuple[str, str]:
    if connection.get("pairingState") != "paired":
        return "not paired with this Mac", "unlock it, plug it in and tap Trust"
    if properties.get("developerModeStatus") == "disabled":
        return "developer mode is off", "Settings > Privacy & Security > Developer Mode, then restart the device"
    if connection.get("tunnelState") == "unavailable":
        return "not reachable", "plug it in, unlock it, and keep it on the same network"
    return "ready", ""


def _evidence(hardware: Mapping[str, Any]) -> Evidence:
    return "device" if hardware.get("reality") == "physical" else "emulated"


def _items(bundle: Path, manifest: Manifest) -> list[Item]:
    """All of a bundle but its Python wrapper and its licences."""
    path = bundle / NAME
    items = [Item(NAME, path, path.stat().st_size, file_digest(path))]
    kept = [file for file in manifest.files if file.role in ("model", "check") and (bundle / file.path).is_file()]
    return items + [Item(file.path, bundle / file.path, file.size, file.sha256) for file in kept]


def _outcome(path: Path, address: str) -> dict[str, Any]:
    try:
        outcome = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        outcome = None
    if not isinstance(outcome, dict):
        raise DeviceError(f"the app on {address} left an outcome that cannot be read", next=AGAIN)
    if "error" in outcome:
        raise from_child(outcome["error"])
    return outcome


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _devicectl(words: Sequence[str], timeout: float) -> tools.Done:
    try:
        return tools.run([_xcrun(), "devicectl", *words], timeout=timeout)
    except BuildError:
        what = " ".join(words[:3])
        raise DeviceError(f"devicectl {what} did not end within {timeout:.0f} s", next=AGAIN) from None


def _xcrun() -> Path:
    return tools.find("xcrun", next=MAC)


def _app() -> str:
    return os.environ.get("EDGEKIT_IOS_APP", APP)


def _last(done: tools.Done) -> str:
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it said nothing"
