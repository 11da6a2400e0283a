"""Target: where a bundle will run, as data. The strict TOML loader, with `extends` and where each value came from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, create_model, field_validator

from edgekit import files, kinds, registry, strangers
from edgekit.data import Strict, first_fault, nearest
from edgekit.ep._releases import numbers
from edgekit.errors import TargetError
from edgekit.kinds import Package, Settings
from edgekit.model import Kind
from edgekit.results import metrics
from edgekit.results.metrics import Limit, LimitError

Os = Literal["linux", "windows", "android", "ios", "macos"]
Status = Literal["supported", "legacy", "experimental", "predicted"]


class Platform(Strict):
    """What the operating system and the app's own project must offer."""

    os_min: str = Field(default="", description="as the system counts: an Android API level, an iOS or Windows version")
    os_min_name: str = Field(default="", description='for people: "Android 10"')
    app_manifest: tuple[str, ...] = Field(default=(), description="what the app's manifest must say")
    entitlements: tuple[str, ...] = Field(default=(), description="iOS: entitlements worth asking for")
    foreground_only: bool = Field(default=False, description="the accelerator is refused to apps in the background")
    source: str = ""


class _Target(Strict):
    """A device target. Every key is checked; a missing one has the default written here."""

    format: Literal["1.0"] = "1.0"
    name: str
    title: str
    status: Status
    status_reason: str
    status_date: str = Field(description="ISO date of the status")
    status_source: str = Field(default="", description="where the status was read, where others decide it")
    successor: str = Field(default="", description="the target, or the technology, to move to")
    os: Os
    abi: tuple[str, ...] = Field(description="CPU architectures: x86_64, aarch64")
    platform: Platform = Platform()
    runtime: tuple[Package, ...] = ()
    face: str = Field(default="python", description="the language of the app: what a bundle carries in runtime/")
    budget: dict[str, Limit] = {}
    quality: dict[str, Limit] = Field(default={}, description="quality limits that override the defaults")

    @field_validator("face")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in registry.listed("edgekit.faces"):
            raise ValueError(f"{name!r} is none of {', '.join(registry.listed('edgekit.faces'))}")
        return name

    @field_validator("budget", "quality")
    @classmethod
    def _judged(cls, limits: dict[str, Limit], field: ValidationInfo) -> dict[str, Limit]:
        return metrics.checked(limits, by="check" if field.field_name == "budget" else "gate")

    def settings(self, kind: Kind) -> Settings:
        """Its table of a kind of model: [llm], [tensor] ..."""
        table: Settings = getattr(self, kind)
        return table

    def budgets(self, kind: Kind) -> dict[str, Limit]:
        """What a check holds a bundle of this kind of model against."""
        return metrics.of_kind(self.budget, kind) | self.settings(kind).budget

    def engine_floor(self, kind: Kind) -> str | None:
        """The lowest ONNX Runtime that a kind of model may meet, some in GenAI; None where no package says it."""
        known = (one for one in self.runtime if kind in one.kinds and (one.engine or one.name == "onnxruntime"))
        floor = next((package.engine or package.floor for package in known), None)
        return max(floor, self.settings(kind).least_engine or floor, key=numbers) if floor else None


if TYPE_CHECKING:

    class Target(_Target):
        """With a field for every kind of model; `settings` gives them."""

else:
    _TABLES = {name: (kinds.of(name).settings, kinds.of(name).settings()) for name in kinds.names()}
    Target = create_model("Target", __base__=_Target, __doc__=_Target.__doc__, **_TABLES)


def api_level(os: str, os_min: str) -> int | None:
    """The oldest Android API level that `platform.os_min` allows; None for other systems."""
    return int(os_min) if os == "android" and os_min.isdigit() else None


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
            f"unknown target {name!r}{nearest(name, names())}", next=f"one of: {', '.join(names())}, or a .toml file"
        )
    return path


def _read(path: Path) -> dict[str, Any]:
    try:
        return strangers.toml(path)
    except (OSError, ValueError) as error:
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
    where, message, first = first_fault(error)
    if first["type"] == "extra_forbidden":
        hint = nearest(str(first["loc"][-1]), _known_keys(first["loc"][:-1]))
        return TargetError(f"{name}: unknown key {where!r}{hint}", next="edgekit targets schema lists every key")
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, LimitError):
        return TargetError(f"{name}: {where}: {cause}", next=cause.next)
    said = message.removeprefix("Value error, ") if first["type"] == "value_error" else message.lower()
    return TargetError(f"{name}: {where}: {said}", next="edgekit targets schema lists every key")


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    """The keys of the table at this place: ("tensor", "variant", 0) is a Variant."""
    schema = Target.model_json_schema()
    here: dict[str, Any] = schema
    for part in loc:
        here = here.get("items") or here.get("properties", {}).get(part) or here.get("additionalProperties") or {}
        here = next((choice for choice in here.get("anyOf", ()) if "$ref" in choice), here)
        here = schema["$defs"][here["$ref"].rpartition("/")[2]] if "$ref" in here else here
    return list(here.get("properties", ()))


def _folder() -> Path:
    """targets/: inside the package in a wheel, beside it in an editable install."""
    inside = files.resource("targets")
    return inside if inside.is_dir() else files.PACKAGE.parent / "targets"
