"""How a bundle is run on this machine: by its own runtime, if that is this edgekit's, or by edgekit's."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path

from edgekit import tools
from edgekit.bundle.manifest import Manifest
from edgekit.bundle.stage import WRAPPER
from edgekit.errors import BundleError
from edgekit.wrappers.python.manifest import abi, host_abi, host_os

OWN = Path(str(resources("edgekit"))) / "wrappers" / "python"


@dataclass(frozen=True)
class Command:
    """The program that takes a request.json, its extra environment, and whose runtime it is."""

    argv: list[str]
    env: dict[str, str]
    whose: str


def foreign(manifest: Manifest, os: str | None = None, here: str | None = None) -> bool:
    """True for a bundle of another platform than this one (or than a device's os and abi).

    It is run for a look at its outputs only.
    """
    target = manifest.target
    return target.os != (os or host_os()) or bool(target.abi and (here or host_abi()) not in map(abi, target.abi))


def command(bundle: Path, manifest: Manifest, *, trust: bool) -> Command:
    """How to run a bundle here.

    A bundle for another platform runs through edgekit's own runtime. Its own is executed only where it is byte for byte
    this edgekit's, or where the user trusts it.

    Raises:
        BundleError: the bundle's runtime is another one and was not trusted.
    """
    if foreign(manifest):
        return Command([*tools.python(), "-m", "edgekit.wrappers.python"], {}, "edgekit's own, for a foreign bundle")
    folder = bundle / WRAPPER
    whose = may_execute(bundle, trust=trust)
    argv = [*tools.python(), "-P", "-m", folder.name]
    return Command(argv, {"PYTHONPATH": str(folder.parent.absolute())}, whose)


def may_execute(bundle: Path, *, trust: bool) -> str:
    """Whose runtime lies in the bundle, if it may be executed: "the bundle's" (byte for byte ours) or "trusted".

    Raises:
        BundleError: it is another one and was not trusted.
    """
    same = _same(bundle / WRAPPER)
    if not same and not trust:
        raise BundleError(
            "the runtime in the bundle is not this edgekit's, so it is not executed",
            next="build the bundle again, or give --trust-bundle-code if you trust whoever made it",
        )
    return "the bundle's" if same else "trusted"


def _same(folder: Path) -> bool:
    """Byte for byte: no file more, none less."""
    return _contents(folder) == _contents(OWN)


def _contents(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
