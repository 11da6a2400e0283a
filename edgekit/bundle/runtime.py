"""Which runtime runs a bundle here: edgekit's own, whatever lies in the bundle; the bundle's where the user says so."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from edgekit import start, tools
from edgekit.bundle.stage import RUNTIME
from edgekit.contract.manifest import Draft
from edgekit.errors import BundleError
from edgekit.faces.python import FACE, PACKAGE
from edgekit.results.measurement import TRUSTED
from edgekit.wrappers.python.manifest import abi, host_abi, host_os

__all__ = ["OWNS", "TRUSTED", "WRAPPER", "Command", "command", "foreign", "own", "trusted"]

OWNS = "edgekit's own"
WRAPPER = f"{RUNTIME}/{PACKAGE}"
NAME = WRAPPER.rpartition("/")[2]


@dataclass(frozen=True)
class Command:
    """The program that takes a request.json, its extra environment, and whose runtime it is (OWNS or TRUSTED)."""

    argv: list[str]
    env: dict[str, str]
    whose: str


def foreign(manifest: Draft, os: str | None = None, here: str | None = None) -> bool:
    """True for a bundle of another platform than this one (or than a device's os and abi).

    It is run for a look at its outputs only.
    """
    target = manifest.target
    return target.os != (os or host_os()) or bool(target.abi and (here or host_abi()) not in map(abi, target.abi))


def own() -> dict[str, Path]:
    """The files of edgekit's own runtime, by the path that they have beside NAME's folder."""
    return {path.removeprefix("python/"): origin for path, origin in FACE.files().items()}


def command(bundle: Path, *, trust: bool) -> Command:
    """How to run a bundle here, in a child that imports nothing of the bundle unless the user trusts it.

    Raises:
        BundleError: it is trusted and has no runtime.
    """
    if not trust:
        return Command(tools.module("edgekit.wrappers.python"), {}, OWNS)
    folder = trusted(bundle).absolute()
    return Command(tools.module(NAME), {start.IMPORTS: os.pathsep.join([str(folder), *tools.imports()])}, TRUSTED)


def trusted(bundle: Path) -> Path:
    """The folder of a bundle that its own runtime is imported from.

    Raises:
        BundleError: it has none.
    """
    if not (bundle / WRAPPER / "__main__.py").is_file():
        raise BundleError(f"{bundle.name} holds no runtime that could be trusted", next="leave out --trust-bundle-code")
    return (bundle / WRAPPER).parent
