"""iOS: a Swift package of sources, face and core, with the vendor's frameworks as binary targets."""

from __future__ import annotations

import os
import plistlib
import shutil
from pathlib import Path

from edgekit import files
from edgekit.bundle.stage import copy
from edgekit.bundle.stage import write as write_text
from edgekit.devices import _runner
from edgekit.errors import BuildError, ToolMissing, UsageError
from edgekit.packs import Asked, Made, _frameworks

SWIFT = files.resource("wrappers/swift")
JSON = "nlohmann"
PRIVACY = "PrivacyInfo.xcprivacy"
# What the core calls of Apple's required-reason APIs (edgekit/lint/apple_privacy.py): times of the app's own files, in
# checking and stamping a bundle; and a clock that does not jump, which measures how long an answer takes.
_REASONS = {"FileTimestamp": ["C617.1"], "SystemBootTime": ["35F9.1"]}
_LEFT = {"hello", "core", "json", "Package.swift", "README.md"}  # of the face's folder
_PREFIX = "NSPrivacyAccessedAPICategory"


def ready(asked: Asked) -> None:
    """Refuse what cannot be packed."""
    if asked.abis:
        raise UsageError("the frameworks say for which architectures they are", next="leave --abi out")
    if asked.engines is None:
        raise UsageError("a pack for iOS needs the engines' frameworks", next="name their folder: --engines FOLDER")
    _frameworks.inside(asked.engines)
    _json()
    if not (SWIFT / "Package.swift").is_file():
        raise ToolMissing("this edgekit has no Swift face", next="compile its C++ core: mobile_samples/ios does")


def write(room: Path, asked: Asked) -> Made:
    """Package.swift, the sources of the face and the core, and Frameworks/."""
    assert asked.engines is not None  # `ready` refuses
    names: list[str] = []
    notes: list[str] = []
    for xcframework in _frameworks.inside(asked.engines):
        to = room / "Frameworks" / xcframework.name
        shutil.copytree(xcframework, to, symlinks=True)
        names.append(xcframework.stem)
        for framework in sorted(to.rglob("*.framework")):
            notes += _frameworks.complete(framework, asked.version)
    for path in sorted(SWIFT.rglob("*")):
        inside = path.relative_to(SWIFT)
        if (
            path.is_file()
            and inside.parts[0] not in ("hello", "Package.swift", "README.md")
            and "core" not in inside.parts
        ):
            copy(path, room / inside)
    for path in sorted((_runner.SOURCES / "src").iterdir()):
        copy(path, room / "c/core" / path.name)
    shutil.copytree(_json(), room / "c/json" / JSON)
    entries = [
        {"NSPrivacyAccessedAPIType": _PREFIX + category, "NSPrivacyAccessedAPITypeReasons": reasons}
        for category, reasons in _REASONS.items()
    ]
    declared = {"NSPrivacyTracking": False, "NSPrivacyCollectedDataTypes": [], "NSPrivacyAccessedAPITypes": entries}
    (room / PRIVACY).write_bytes(plistlib.dumps(declared))
    write_text(room / "Package.swift", _package(names))
    return Made(('.package(path: "edgekit-ios")', '.product(name: "Edgekit", package: "edgekit-ios")'), tuple(notes))


def _package(frameworks: list[str]) -> str:
    """The face's own Package.swift, with the frameworks and the privacy manifest in it."""
    text = (SWIFT / "Package.swift").read_text(encoding="utf-8")
    linked = "".join(f', "{name}"' for name in frameworks)
    targets = "".join(
        f'        .binaryTarget(name: "{name}", path: "Frameworks/{name}.xcframework"),\n' for name in frameworks
    )
    changes = {
        'dependencies: ["CEdgekit"],': f'dependencies: ["CEdgekit"{linked}],',
        'exclude: ["README.md", "c", "extensions", "hello"],\n            sources: ["src", "ios"]': (
            'exclude: ["Frameworks", "LICENSES", "c", "extensions", "pack.json"],\n'
            '            sources: ["src", "ios"],\n'
            f'            resources: [.copy("{PRIVACY}")]'
        ),
        "    targets: [\n": f"    targets: [\n{targets}",
    }
    for before, after in changes.items():
        if text.count(before) != 1:
            raise BuildError(f"the Swift face's Package.swift has no {before!r}", next="report this")
        text = text.replace(before, after)
    return text


def _json() -> Path:
    """The folder of nlohmann-json's headers, which the core is compiled with."""
    folders = [Path(each) for each in os.environ.get("CPATH", "").split(os.pathsep) if each]
    for folder in (*folders, Path("/usr/include"), Path("/usr/local/include"), Path("/opt/homebrew/include")):
        if (folder / JSON / "json.hpp").is_file():
            return folder / JSON
    raise ToolMissing(
        "the headers of nlohmann-json are not installed",
        next="sudo apt-get install --no-install-recommends nlohmann-json3-dev, or brew install nlohmann-json",
    )
