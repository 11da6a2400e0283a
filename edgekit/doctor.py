"""What is there, what is missing, and the line that closes each gap: at this end, for a target, and on a device."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from edgekit import __version__, cache, extras, meters, target
from edgekit.devices import adb, ios, open_device, ssh
from edgekit.devices._remote import RemoteDevice
from edgekit.devices._runner import find_runner
from edgekit.devices.local import Local
from edgekit.errors import DeviceError, EdgekitError, TargetError, ToolMissing, UsageError, from_oserror
from edgekit.meters import thermal
from edgekit.target import Target
from edgekit.tools import find
from edgekit.wrappers.python import machine
from edgekit.wrappers.python.manifest import abi, host_abi, host_os

ROOM_MB = 10_000  # free in the cache: less, and the build of a language model may not end
DEVICE_ROOM_MB = 1000
State = Literal["ok", "note", "gap"]
End = Literal["here", "target", "device"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

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


def examine(device: str | None, target_name: str | None) -> list[Finding]:
    """Look at this machine, and where they are named at a target and a device.

    Raises:
        TargetError, UsageError: no such target or kind of device.
    """
    profile = target.load(target_name) if target_name else None
    other = open_device(device) if device else None
    found = [*_here(profile, device)]
    if profile is not None:
        found += _target(profile)
    if other is not None:
        kinds = _remote(other, profile) if isinstance(other, RemoteDevice) else _nearby(other, profile)
        found += kinds
    return found


def _here(profile: Target | None, device: str | None) -> Iterator[Finding]:
    yield Finding(
        "here", "edgekit", "ok", f"{__version__}, Python {platform.python_version()} on {host_os()} {host_abi()}"
    )
    for package in ("onnxruntime", "onnxruntime-genai"):
        yield Finding("here", package, "ok", importlib.metadata.version(package))
    yield _cache()
    for extra in extras.EXTRAS:
        yield _extra(extra, needed=profile is not None and extra in _extras_of(profile))
    for scheme, program, line in (("ssh", "ssh", ssh.INSTALL), ("adb", "adb", adb.INSTALL), ("ios", "xcrun", ios.MAC)):
        needed = (device or "").startswith(f"{scheme}:")
        yield _program(program, line, needed=needed)


def _cache() -> Finding:
    root = cache.root()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            free = shutil.disk_usage(root).free // 10**6
    except OSError as error:
        known = from_oserror(error, f"writing the cache {root}")
        return Finding(
            "here", "cache", "gap", known.message, "set EDGEKIT_CACHE to a writable folder", UsageError.exit_code
        )
    if free < ROOM_MB:
        line = "edgekit cache prune --older-than 30, or set EDGEKIT_CACHE to a larger disk"
        return Finding("here", "cache", "note", f"{root}: only {free:,} MB are free", line)
    return Finding("here", "cache", "ok", f"{root}: {free:,} MB are free")


def _extra(name: str, *, needed: bool) -> Finding:
    missing = extras.missing(name)
    if not missing:
        return Finding("here", f"extra {name}", "ok", "installed")
    detail = f"not installed ({', '.join(missing)})"
    return _missing("here", f"extra {name}", detail, extras.pip_line(name), needed=needed)


def _program(name: str, line: str, *, needed: bool) -> Finding:
    try:
        return Finding("here", name, "ok", str(find(name, next=line)))
    except ToolMissing as error:
        return _missing("here", name, "not installed", error.next, needed=needed)


def _missing(end: End, what: str, detail: str, line: str, *, needed: bool) -> Finding:
    if needed:
        return Finding(end, what, "gap", detail, line, ToolMissing.exit_code)
    return Finding(end, what, "note", detail, line)


def _extras_of(profile: Target) -> set[str]:
    return {"build"} | ({"qnn"} if "qnn" in (profile.llm.ep, profile.tensor.ep) else set())


def _target(profile: Target) -> Iterator[Finding]:
    state: State = "ok" if profile.status == "supported" else "note"
    why = f"{profile.title}: {profile.status} ({profile.status_reason})"
    successor = f"its successor is {profile.successor}" if profile.successor else ""
    yield Finding("target", profile.name, state, why, successor)
    for one in profile.abi:
        if profile.os not in ("linux", "android"):
            continue
        try:
            yield Finding(
                "target", f"edgekit-runner for {profile.os} {one}", "ok", str(find_runner(profile.os, abi(one)))
            )
        except ToolMissing as error:
            yield _missing("target", f"edgekit-runner for {profile.os} {one}", error.message, error.next, needed=False)
    for package in profile.runtime:
        yield Finding("target", package.name, "ok", f"{package.floor} or later, from {package.channel}", package.source)


def _remote(device: RemoteDevice, profile: Target | None) -> Iterator[Finding]:
    line = device.found()
    if line.state != "ready":
        yield Finding("device", device.address, "gap", line.state, line.next, DeviceError.exit_code)
        return
    facts = line.facts
    words = (facts.get("model"), facts.get("os_version"), facts.get("soc"), facts.get("abi"))
    yield Finding("device", device.address, "ok", ", ".join(str(word) for word in words if word))
    yield _evidence(str(facts["evidence"]), list(facts["evidence_reasons"]))
    if profile is not None:
        yield _fits(profile, str(facts["os"]), str(facts["abi"]))
    for kind in ("tensor", "llm"):
        try:
            yield Finding("device", f"runtime, {kind} models", "ok", device.runtime_for(kind))
        except ToolMissing as error:
            yield _missing("device", f"runtime, {kind} models", error.message, error.next, needed=kind == "tensor")
    free = device.free_mb()
    if free is not None and free < DEVICE_ROOM_MB:
        line_ = f"edgekit devices clean {device.address}, or remove other files there"
        yield Finding("device", "free space", "note", f"only {free:,} MB", line_)
    elif free is not None:
        yield Finding("device", "free space", "ok", f"{free:,} MB")
    yield from _sensors(device)


def _nearby(device: object, profile: Target | None) -> Iterator[Finding]:
    """This machine, or an iPhone: both are looked at without a shell."""
    if isinstance(device, Local):
        facts = machine.facts()
        yield Finding("device", "local", "ok", f"{facts['cpu'] or 'CPU'}, {facts['cores']} cores, {facts['ram_mb']} MB")
        if facts["hypervisor"]:
            yield Finding("device", "evidence", "note", "a virtual machine: its figures are its own, not a device's")
        if profile is not None:
            yield _fits(profile, host_os(), host_abi())
        yield from _sensors(device)
    elif isinstance(device, ios.Ios):
        try:
            line = device.found()
        except EdgekitError as error:
            yield Finding("device", device.address, "gap", error.message, error.next, error.exit_code)
            return
        if line.state != "ready":
            yield Finding("device", device.address, "gap", line.state, line.next, DeviceError.exit_code)
            return
        yield Finding("device", device.address, "ok", f"{line.facts['model']}, {line.facts['os_version']}")
        if profile is not None:
            yield _fits(profile, "ios", str(line.facts["abi"] or "aarch64"))


def _evidence(kind: str, reasons: list[str]) -> Finding:
    if kind == "device":
        return Finding("device", "evidence", "ok", f"device: {reasons[0]}")
    told = "; ".join(reasons)
    return Finding("device", "evidence", "note", f"{kind}: {told}", "latency and power need a real device")


def _fits(profile: Target, os: str, here: str) -> Finding:
    if profile.os == os and here in map(abi, profile.abi):
        return Finding("device", f"target {profile.name}", "ok", f"fits {os} {here}")
    detail = f"is for {profile.os} {'/'.join(profile.abi)}, the device is {os} {here}"
    others = [name for name in target.names() if _for(name, os, here)]
    line = f"take one of: {', '.join(others)}" if others else "take another device"
    return Finding("device", f"target {profile.name}", "gap", detail, line, TargetError.exit_code)


def _for(name: str, os: str, here: str) -> bool:
    profile = target.load(name)
    return profile.os == os and here in map(abi, profile.abi)


def _sensors(device: RemoteDevice | Local) -> Iterator[Finding]:
    """Power meters and heat; none of them is in the way of a check."""
    reader = device.reader()
    there, missing = meters.find(reader)
    for meter in there:
        yield Finding("device", "power", "ok", f"{meter.name}: {meter.scope}, grade {meter.grade}")
    if not there:
        for one in missing.values():
            if one.next:
                yield Finding("device", "power", "note", one.reason, one.next)
    now = thermal.look(reader)
    hot = thermal.not_ready(now)
    if hot:
        yield Finding("device", "heat", "note", "; ".join(hot), "let it cool down")
    elif now.hottest_c is not None:
        yield Finding("device", "heat", "ok", f"{now.hottest_c:.0f} C at most")
    else:
        yield Finding("device", "heat", "note", "it tells no temperature: only clocks and drift show throttling")
