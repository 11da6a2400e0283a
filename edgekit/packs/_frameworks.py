"""A vendor's frameworks for iOS, completed to what the App Store asks of their Info.plist."""

from __future__ import annotations

import plistlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from edgekit.errors import UsageError
from edgekit.lint import _macho
from edgekit.lint._files import Unreadable
from edgekit.lint.apple_frameworks import KEYS

# What Apple calls the systems that a framework's code is for.
PLATFORMS = {"ios": "iPhoneOS", "iossimulator": "iPhoneSimulator"}
_FOREIGN = "give the vendor's folder of .xcframeworks, as it is unpacked"


def inside(folder: Path) -> list[Path]:
    """The .xcframeworks of a folder, or the folder itself where it is one.

    Raises:
        UsageError: there is none.
    """
    xcframeworks = [folder] if folder.suffix == ".xcframework" else sorted(folder.rglob("*.xcframework"))
    if not xcframeworks:
        raise UsageError(f"{folder} holds no .xcframework", next=_FOREIGN)
    return xcframeworks


def complete(framework: Path, version: str | None) -> Iterator[str]:
    """Fill what a .framework for iOS lacks in its Info.plist, in place; says what it filled.

    MinimumOSVersion and CFBundleSupportedPlatforms are read from its code. A version is in no code that Apple defines.

    Raises:
        UsageError: its code or its Info.plist cannot be read, or it has no version and none is given.
    """
    if (framework / "Versions").is_dir():
        return  # the form of macOS and Mac Catalyst; npm packs it without the links that lead inside
    path = framework / "Info.plist"
    plist = _plist(path)
    code = [each for each in _code(framework, plist) if each.platform in PLATFORMS]
    if not code:
        return  # of another system
    facts: dict[str, Any] = {
        "CFBundleExecutable": framework.stem,
        "MinimumOSVersion": ".".join(map(str, max(each.min_os for each in code))),
        "CFBundleSupportedPlatforms": sorted({PLATFORMS[each.platform] for each in code}),
        "CFBundleVersion": version,
        "CFBundleShortVersionString": version,
    }
    lacking = [key for key in facts if not plist.get(key)]
    if version is None and any(facts[key] is None for key in lacking):
        raise UsageError(f"{framework.name} does not say its version", next="give it: --engines-version X.Y.Z")
    if not lacking:
        return
    path.write_bytes(plistlib.dumps({**plist, **{key: facts[key] for key in lacking}}))
    yield f"{framework.parent.name}/{framework.name}: {', '.join(f'{key} {facts[key]}' for key in lacking)}"
    if still := [key for key in KEYS if key not in facts and not plist.get(key)]:
        yield f"{framework.parent.name}/{framework.name}: still without {', '.join(still)}"


def _plist(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            loaded = plistlib.load(stream)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, ExpatError, plistlib.InvalidFileException, RecursionError):
        raise UsageError(f"{path} is no property list", next=_FOREIGN) from None
    if not isinstance(loaded, dict):
        raise UsageError(f"{path} holds no keys", next=_FOREIGN)
    return loaded


def _code(framework: Path, plist: dict[str, Any]) -> tuple[_macho.Slice, ...]:
    path = framework / str(plist.get("CFBundleExecutable") or framework.stem)
    try:
        with path.open("rb") as stream:
            return _macho.read(stream)
    except (OSError, Unreadable) as error:
        why = error if isinstance(error, Unreadable) else "it is not there"
        raise UsageError(f"the code of {framework.name} cannot be read: {why}", next=_FOREIGN) from None
