"""Target: where a bundle will run, as data. The strict TOML loader, with `extends` and where each value came from."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from edgekit.data import Strict, nearest
from edgekit.errors import TargetError

Os = Literal["linux", "windows", "android", "ios", "macos"]
Status = Literal["supported", "legacy", "experimental", "predicted"]


class Budget(Strict):
    """The limits of one metric; the unit is in the metric's name."""

    min: float | None = None
    max: float | None = None


class Package(Strict):
    """A runtime package an app links: where it comes from and which versions will do."""

    name: str
    channel: Literal["pip", "maven", "nuget", "swiftpm", "npm", "release-page", "system"]
    floor: str = Field(description="the lowest version that runs what is built")
    excluded: tuple[str, ...] = ()
    last_seen: str = Field(description="newest version seen, with its date")
    source: str = Field(description="where these facts were read")


class LlmSettings(Strict):
    """How this target builds and runs language models."""

    ep: str = "cpu"
    ep_options: dict[str, str] = {}
    recipe: str = "int4_mixed"
    block_size: int = Field(default=32, description="weights per scale")
    accuracy_level: int = Field(default=4, description="MatMulNBits: 4 computes in int8, 0 or 1 in float32")
    max_length: int = Field(default=4096, description="tokens of prompt and answer; the key-value cache is this long")
    note: str = ""


class TensorSettings(Strict):
    """How this target builds and runs every other model."""

    ep: str = "cpu"
    ep_options: dict[str, str] = {}
    recipe: str = Field(default="int8_qdq", description="used when calibration data is given")
    recipe_uncalibrated: str = Field(default="int8_dynamic", description="used when no calibration data is given")
    note: str = ""


class Target(Strict):
    """A device target. Every key is checked; a missing one has the default written here."""

    format: Literal["1.0"] = "1.0"
    name: str
    title: str
    status: Status
    status_reason: str
    status_date: str = Field(description="ISO date of the status")
    os: Os
    abi: tuple[str, ...] = Field(description="CPU architectures: x86_64, aarch64")
    runtime: tuple[Package, ...] = ()
    opset_max: int = Field(default=23, description="newest opset of the default ONNX domain the runtime floor loads")
    llm: LlmSettings = LlmSettings()
    tensor: TensorSettings = TensorSettings()
    budget: dict[str, Budget] = {}
    quality: dict[str, Budget] = Field(default={}, description="quality limits that override the defaults")


def names() -> list[str]:
    """The names of the targets that ship with edgekit, sorted."""
    return sorted(path.stem for path in _folder().glob("*.toml"))


def load(name: str) -> Target:
    """The target of this name, or of this .toml file.

    Raises:
        TargetError: unknown name, unreadable file, unknown key (the nearest is suggested), wrong value, a circle.
    """
    data, _ = resolve(name)
    try:
        return Target.model_validate(data)
    except ValidationError as error:
        raise _explain(name, error) from None


def resolve(name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The merged TOML of a target and, for each dotted key, the file it came from."""
    data: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for path, layer in reversed(_chain(name)):
        _merge(data, layer, origin, path.name)
    return data, origin


def _chain(name: str) -> list[tuple[Path, dict[str, Any]]]:
    """The profile and those it extends, nearest first."""
    chain: list[tuple[Path, dict[str, Any]]] = []
    path = _find(name, None)
    while True:
        if any(path == seen for seen, _ in chain):
            raise TargetError(f"{path.name} extends itself", next="remove one `extends` from the circle")
        layer = _read(path)
        parent = layer.pop("extends", None)
        chain.append((path, layer))
        if parent is None:
            return chain
        if not isinstance(parent, str):
            raise TargetError(f"{path.name}: extends must be the name of a target", next='write extends = "linux-cpu"')
        path = _find(parent, path.parent)


def _find(name: str, beside: Path | None) -> Path:
    if name.endswith(".toml"):
        path = (beside / name) if beside and not Path(name).is_absolute() else Path(name)
        if not path.is_file():
            raise TargetError(f"no target file {name}", next="give the path of an existing .toml file")
        return path.resolve()
    path = _folder() / f"{name}.toml"
    if name not in names():
        raise TargetError(
            f"unknown target {name!r}{nearest(name, names())}",
            next=f"one of: {', '.join(names())}, or a .toml file",
        )
    return path


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise TargetError(f"{path.name} is not readable TOML: {error}", next="fix the file") from None


def _merge(into: dict[str, Any], layer: Mapping[str, Any], origin: dict[str, str], file: str, at: str = "") -> None:
    for key, value in layer.items():
        dotted = f"{at}{key}"
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value, origin, file, f"{dotted}.")
        else:
            into[key] = value
            origin[dotted] = file


def _explain(name: str, error: ValidationError) -> TargetError:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _known_keys(first["loc"][:-1])
        hint = nearest(str(first["loc"][-1]), known)
        return TargetError(f"{name}: unknown key {where!r}{hint}", next="edgekit targets schema lists every key")
    return TargetError(f"{name}: {where}: {first['msg'].lower()}", next="edgekit targets schema lists every key")


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    sections: dict[str, type[Strict]] = {
        "llm": LlmSettings,
        "tensor": TensorSettings,
        "runtime": Package,
        "budget": Budget,
        "quality": Budget,
    }
    model = sections.get(str(loc[0])) if loc else Target
    return list(model.model_fields) if model else []


def _folder() -> Path:
    """targets/: inside the package in a wheel, beside it in an editable install."""
    inside = Path(str(files("edgekit"))) / "targets"
    return inside if inside.is_dir() else Path(str(files("edgekit"))).parent / "targets"
