"""What every sample's project is: which files from where, and what of the bundle goes where in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit import files
from edgekit.bundle.files import Files
from edgekit.contract.manifest import Manifest
from edgekit.kinds import Generating, Package

LICENCES = "LICENSES.txt"
BUNDLE = "bundle"  # a folder of the project
# What an app can do with a bundle.
CHAT, CLASSIFY, INFER = "chat", "classify", "infer"
_LEFT = frozenset(["build", "bin", "obj", ".gradle", ".build", "DerivedData", "__pycache__"])  # by tools, in sources
_ENGINES = ("ONNX Runtime, and ONNX Runtime GenAI", "onnxruntime-MIT.txt")
_JSON = ("nlohmann-json", "nlohmann-json-MIT.txt")


@dataclass(frozen=True)
class Project:
    """A project that is to be made.

    Attributes:
        sources: files and folders by where they go in the project.
        places: where each file of the bundle goes; what is not named stays out.
        texts: what is written for this bundle alone, by where it goes.
        steps: the commands that come next, in the project's folder.
        facts: what a script may want to know besides.
        licences: where the text goes that the app has to show.
    """

    sources: Mapping[str, Path]
    places: Mapping[str, str]
    texts: Mapping[str, str]
    steps: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    licences: str = LICENCES


@dataclass(frozen=True)
class Whole:
    """A bundle that was verified, and its files."""

    manifest: Manifest
    files: Files

    @property
    def does(self) -> str:
        """The most that an app can do with it: CHAT, CLASSIFY a picture, or INFER from tensors."""
        contract = self.manifest.contract
        if isinstance(contract, Generating):
            return CHAT
        inputs = getattr(contract, "inputs", ())
        pictures = [tensor for tensor in inputs if getattr(tensor.preprocess, "kind", "") == "image"]
        return CLASSIFY if len(pictures) == len(inputs) == 1 and getattr(contract, "decode", "") == "classes" else INFER

    def without(self, *roles: str) -> dict[str, int]:
        """Its files with their sizes, edgekit.json among them, but for those of these roles."""
        out = {file.path for file in self.manifest.files if file.role in roles}
        return {path: size for path, size in sorted(self.files.sizes.items()) if path not in out}

    def packages(self, channel: str) -> list[Package]:
        """What its target names of a channel (maven, nuget, pip ...) for its kind of model."""
        kind = self.manifest.contract.kind
        return [
            package for package in self.manifest.target.runtime if package.channel == channel and kind in package.kinds
        ]

    def wheels(self) -> list[str]:
        """The same of pip, as pip takes them: in the versions that the bundle was built and held with, where known."""
        tools = self.manifest.tools
        pins = {package.name: f">={package.floor}" for package in self.packages("pip")}
        return [f"{name}=={tools[name]}" if name in tools else f'"{name}{floor}"' for name, floor in pins.items()]

    def licences(self) -> str:
        """What the app has to show: the licences that lie in the bundle, and of what the sample adds to it."""
        inside = [path for path in sorted(self.files.sizes) if path.startswith("LICENSES/")]
        parts = {}
        for path in inside:
            with self.files.open(path) as stream:
                parts[path] = stream.read().decode("utf-8", "replace")
        for title, name in (_ENGINES, _JSON):
            parts[title] = (files.resource("sample/licences") / name).read_text(encoding="utf-8")
        parts["edgekit"] = files.resource("bundle/licenses/Apache-2.0.txt").read_text(encoding="utf-8")
        return "\n".join(f"{'=' * 20} {title}\n\n{text.strip()}\n" for title, text in parts.items())


def sources(name: str) -> dict[str, Path]:
    """The files of mobile_samples/NAME by where they go; what tools left there stays."""
    root = samples() / name
    paths = (path for path in sorted(root.rglob("*")) if path.is_file())
    inside = {path.relative_to(root): path for path in paths}
    return {part.as_posix(): path for part, path in inside.items() if not _LEFT & set(part.parts)}


def samples() -> Path:
    """mobile_samples/: inside the package in a wheel, beside it in an editable install."""
    inside = files.resource("mobile_samples")
    return inside if inside.is_dir() else files.PACKAGE.parent / "mobile_samples"
