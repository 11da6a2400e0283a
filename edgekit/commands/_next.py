"""What comes after a build: the command that proves the bundle, on a machine that can."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekit.contract.manifest import Manifest

_DEVICES = {"android": "adb:SERIAL", "ios": "ios:UDID", "linux": "ssh:USER@HOST"}


def lines(manifest: Manifest, bundle: Path) -> Iterator[str]:
    """The command for this bundle; where this machine is no such target, also what it can do itself."""
    from edgekit.bundle import runtime

    if not runtime.foreign(manifest):
        yield f"edgekit check {bundle}"
        return
    device = _DEVICES.get(manifest.target.os)
    if device is None:
        yield f"edgekit check {bundle.name}, on a machine of {manifest.target.os} ({', '.join(manifest.target.abi)})"
    else:
        yield f"edgekit check {bundle} --device {device}   (edgekit devices lists those attached)"
    yield f"here, without one: edgekit check {bundle} --goldens-only"
