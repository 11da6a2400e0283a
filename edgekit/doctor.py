"""What is there, what is missing, and the line that closes each gap: at this end, for a target, and on a device."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from edgekit import __version__, cache, extras, kinds, meters, target
from edgekit.devices import End, Finding, State, adb, ios, open_device, ssh
from edgekit.devices._runner import find_runner
from edgekit.errors import TargetError, ToolMissing, UsageError, from_oserror
from edgekit.meters import thermal
from edgekit.predict.weights import largest
from edgekit.reading import Reader
from edgekit.target import Target
from edgekit.tools import find
from edgekit.wrappers.python.manifest import abi, host_abi, host_os

ROOM_MB = 10_000  # free in the cache: less, and the build of a language model may not end


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
        found += other.findings(_Look(profile))
    return found


@dataclass(frozen=True)
class _Look:
    """See devices.Look."""

    profile: Target | None

    def fits(self, os: str, abi: str, ram_mb: int | None) -> Iterator[Finding]:
        """See Look.fits."""
        if self.profile is not None:
            yield _fits(self.profile, os, abi)
            yield from _room(self.profile, ram_mb)

    def sensors(self, reader: Reader) -> Iterator[Finding]:
        """See Look.sensors."""
        return _sensors(reader)


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
    return {"build"} | ({"qnn"} if any(profile.settings(kind).ep == "qnn" for kind in kinds.names()) else set())


def _target(profile: Target) -> Iterator[Finding]:
    state: State = "ok" if profile.status == "supported" else "note"
    why = f"{profile.title}: {profile.status} ({profile.status_reason})"
    successor = f"its successor is {profile.successor}" if profile.successor else ""
    yield Finding("target", profile.name, state, why, successor)
    for one in profile.abi:
        if profile.os not in ("linux", "android"):
            continue
        what = f"edgekit-runner for {profile.os} {one}"
        try:
            yield Finding("target", what, "ok", str(find_runner(profile.os, abi(one))))
        except ToolMissing as error:
            yield _missing("target", what, error.message, error.next, needed=False)
    for package in profile.runtime:
        yield Finding("target", package.name, "ok", f"{package.floor} or later, from {package.channel}", package.source)


def _fits(profile: Target, os: str, here: str) -> Finding:
    if profile.os == os and here in map(abi, profile.abi):
        return Finding("device", f"target {profile.name}", "ok", f"fits {os} {here}")
    detail = f"is for {profile.os} {'/'.join(profile.abi)}, the device is {os} {here}"
    every = map(target.load, target.names())
    others = [other.name for other in every if other.os == os and here in map(abi, other.abi)]
    line = f"take one of: {', '.join(others)}" if others else "take another device"
    return Finding("device", f"target {profile.name}", "gap", detail, line, TargetError.exit_code)


def _room(profile: Target, ram_mb: int | None) -> Iterator[Finding]:
    """How large the weights of a model may be."""
    if ram_mb is not None:
        every = [profile.settings(kind).memory for kind in kinds.names()]
        most = min(largest(ram_mb * 2**20, of.prepack_factor, of.engine_bytes or 0) for of in every)
        detail = f"{ram_mb:,} MB; weights of at most {most / 1e6:,.0f} MB, with the copies of kernels (estimated)"
        yield Finding("device", "memory", "ok", detail)


def _sensors(reader: Reader) -> Iterator[Finding]:
    """Power meters and heat; none of them is in the way of a check."""
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
