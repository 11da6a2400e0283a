"""Target: where a bundle will run, as data. The strict TOML loader, with `extends` and where each value came from."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError, model_validator

from edgekit import ep
from edgekit.data import Strict, nearest, write_atomic
from edgekit.errors import TargetError
from edgekit.model import Kind

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
    excluded: tuple[str, ...] = Field(default=(), description="bad releases at or above the floor")
    excluded_reason: str = Field(default="", description="why, with where it is reported")
    last_seen: str = Field(description="newest version seen, with its date")
    sha256: str | None = Field(default=None, description="of the archive, where one file serves all")
    kinds: tuple[Kind, ...] = Field(default=("llm", "tensor"), description="the kinds of model that need it")
    engine: str | None = Field(
        default=None, description="the version of ONNX Runtime that the floor version is or carries"
    )
    qairt: str | None = Field(default=None, description="the Qualcomm runtime that the floor version carries")
    source: str = Field(description="where these facts were read")


class Platform(Strict):
    """What the operating system and the app's own project must offer."""

    os_min: str = Field(default="", description="as the system counts: an Android API level, an iOS or Windows version")
    os_min_name: str = Field(default="", description='for people: "Android 10"')
    app_manifest: tuple[str, ...] = Field(default=(), description="what the app's manifest must say")
    entitlements: tuple[str, ...] = Field(default=(), description="iOS: entitlements worth asking for")
    foreground_only: bool = Field(default=False, description="the accelerator is refused to apps in the background")
    source: str = ""


class InsteadOf(Strict):
    """Why this kind of model does not run on the accelerator the target is named after."""

    ep: str = Field(description="the execution provider that was meant")
    reason: str
    alternatives: tuple[str, ...] = Field(default=(), description="targets that do run this kind on an accelerator")
    source: str = ""


class Memory(Strict):
    """How bytes on disk become bytes in memory; predictions use these."""

    prepack_factor: float = Field(default=1.0, ge=1.0, description="weights in memory over weights on disk, at worst")
    kv_bytes_per_value: int = Field(default=4, description="llm: of the key-value cache; 4 float32, 2 float16")
    logits_bytes_per_value: int = Field(default=4, description="llm: of the logits")
    prefill_logits: bool = Field(default=True, description="llm: logits of every prompt token are kept, not the last's")
    source: str = ""


class Variant(Strict):
    """One self-contained form of the model in a bundle; what is None is the settings' own."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", description="also the folder's name: model/<name>/")
    recipe: str | None = None
    recipe_uncalibrated: str | None = None
    precision: str | None = None
    ep: str | None = None
    ep_options: dict[str, str] = Field(default={}, description="over those of the settings")
    compile: Literal["qnn_context"] | None = Field(default=None, description="the ahead-of-time compiler to run")
    soc: tuple[str, ...] = Field(default=(), description="the chips it is for, as ro.soc.model names them; any if none")
    soc_model: int | None = Field(default=None, description="Qualcomm's number of the chip, for the compiler")
    htp_arch: str | None = Field(default=None, description='the Hexagon version, "75"; any if none')
    note: str = ""
    source: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Variant:
        if self.compile == "qnn_context" and not (self.soc and self.soc_model and self.htp_arch):
            raise ValueError("a variant compiled for QNN needs soc, soc_model and htp_arch")
        return self


PORTABLE = Variant(name="portable")


class _Settings(Strict):
    """What both kinds of model have."""

    ep: str = "cpu"
    ep_options: dict[str, str] = {}
    precision: str = Field(default="", description="what the recipe gives, in the words of recipes")
    static_shapes: bool = Field(default=False, description="every dimension must be fixed before the build")
    fallback: Literal["cpu", "none"] = Field(default="cpu", description="who runs what the provider leaves")
    coverage_min: float = Field(
        default=0.0, ge=0.0, le=1.0, description="the share of the work the provider should take; less is a warning"
    )
    instead_of: InsteadOf | None = None
    pick: Literal["first-that-runs", "self-test"] = Field(
        default="first-that-runs", description="how an app chooses among the variants that fit its device"
    )
    variant: tuple[Variant, ...] = Field(
        default=(), description="[[llm.variant]], [[tensor.variant]]; none: one portable"
    )
    memory: Memory = Memory()
    budget: dict[str, Budget] = Field(default={}, description="default budgets of this kind; a card's come on top")
    note: str = ""
    source: str = Field(default="", description="where these choices come from")

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if self.ep not in ep.names():
            raise ValueError(f"unknown execution provider {self.ep!r}{nearest(self.ep, ep.names())}")
        names = [variant.name for variant in self.variant]
        if len(set(names)) != len(names):
            raise ValueError("two variants have one name")
        for variant in self.variant or (PORTABLE,):
            provider = variant.ep or self.ep
            if provider not in ep.names():
                raise ValueError(f"unknown execution provider {provider!r}{nearest(provider, ep.names())}")
            if problem := ep.options_problem(provider, self.options(variant)):
                raise ValueError(problem)
        return self

    def options(self, variant: Variant = PORTABLE) -> dict[str, str]:
        """The provider options of a variant: its own over those of the settings (which are for their own provider)."""
        shared = self.ep_options if variant.ep in (None, self.ep) else {}
        return {**shared, **variant.ep_options}

    def variants(self) -> tuple[Variant, ...]:
        """The variants a bundle has, with nothing left to the settings but the recipe for a lack of calibration."""
        return tuple(
            one.model_copy(update={"ep": one.ep or self.ep, "ep_options": self.options(one)} | self._quantized(one))
            for one in self.variant or (PORTABLE,)
        )

    def _quantized(self, variant: Variant) -> dict[str, str | None]:
        return {}


class LlmSettings(_Settings):
    """How this target builds and runs language models."""

    recipe: str = "int4_mixed"
    recipe_small: str | None = Field(
        default=None, description="used for models of under half a billion parameters; None: the same"
    )
    block_size: int = Field(default=32, description="weights per scale; -1 for one scale a channel")
    even_blocks: bool = Field(default=False, description="a row of weights must have an even number of blocks")
    symmetric: bool = Field(default=False, description="quantize without zero points")
    lm_head_bits: Literal[4, 8] | None = Field(default=None, description="of the last layer; None: the recipe's own")
    embedding_bits: Literal[4, 8, 16] | None = Field(
        default=None, description="of the embeddings; 16: not quantized; None: the recipe's own"
    )
    keep_share: float = Field(
        default=0.25, ge=0.0, le=1.0, description="mixed recipes: the share of the layers' weights that keep 8 bits"
    )
    activation_bits: Literal[16, 32] = Field(
        default=16,
        description="floats of a graph that is made for a GPU; 32 for one without float16 (the CPU's has 32)",
    )
    accuracy_level: int = Field(default=4, description="MatMulNBits: 4 computes in int8, 0 or 1 in float32")
    max_length: int = Field(default=4096, description="tokens of prompt and answer; the key-value cache is this long")
    window: int | None = Field(default=None, description="tokens a call of a static graph takes; None where any number")

    def _quantized(self, variant: Variant) -> dict[str, str | None]:
        return {"recipe": variant.recipe or self.recipe, "precision": variant.precision or self.precision}


class TensorSettings(_Settings):
    """How this target builds and runs every other model."""

    recipe: str = Field(default="int8_qdq", description="used when calibration data is given")
    recipe_uncalibrated: str = Field(default="int8_dynamic", description="used when no calibration data is given")
    calibration_method: Literal["MinMax", "Entropy", "Percentile"] = Field(
        default="MinMax", description="w8a16_qdq, w8a8_qdq: how the range of activations is found"
    )
    per_channel: bool = Field(default=True, description="w8a16_qdq, w8a8_qdq: a scale for each output channel")
    keep_float32: tuple[str, ...] = Field(default=(), description="fp16: operators that stay float32")

    def _quantized(self, variant: Variant) -> dict[str, str | None]:
        return {
            "recipe": variant.recipe or self.recipe,
            "recipe_uncalibrated": variant.recipe_uncalibrated or variant.recipe or self.recipe_uncalibrated,
            "precision": variant.precision or self.precision,
        }


class Target(Strict):
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
    llm: LlmSettings = LlmSettings()
    tensor: TensorSettings = TensorSettings()
    budget: dict[str, Budget] = {}
    quality: dict[str, Budget] = Field(default={}, description="quality limits that override the defaults")

    def api_level(self) -> int | None:
        """The oldest Android API level that the profile allows; None for other systems."""
        return api_level(self.os, self.platform.os_min)

    def engine_floor(self) -> str | None:
        """The lowest version of ONNX Runtime that the profile allows; None where no package says it."""
        found = (one.engine or (one.floor if one.name == "onnxruntime" else None) for one in self.runtime)
        return next((version for version in found if version), None)


def api_level(os: str, os_min: str) -> int | None:
    """What `platform.os_min` says of Android; None for other systems."""
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


def new(name: str, parent: str, folder: Path, *, force: bool = False) -> Path:
    """Write a target that extends another one and changes nothing yet; returns the file's path.

    Raises:
        TargetError: the name is taken or no file name; the parent is unknown or wrong; the file exists.
        OSError: the folder cannot be written.
    """
    name = name.removesuffix(".toml")
    base = load(parent)
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", name):
        raise TargetError(f"{name!r} is no name for a target", next="use small letters, digits, dots and dashes")
    if name in names():
        raise TargetError(f"{name} is a target that ships with edgekit", next="choose another name")
    path = folder / f"{name}.toml"
    if path.exists() and not force:
        raise TargetError(f"{path} exists", next="choose another name, or give --force")
    above = parent if not parent.endswith(".toml") else os.path.relpath(Path(parent).resolve(), folder.resolve())
    write_atomic(path, _BEGUN.format(name=name, parent=above, title=base.title, base=base))
    load(str(path))
    return path


_BEGUN = """\
# A target of your own: what is set here wins over {parent}, and everything else is as there.
# `edgekit targets show {name}.toml` shows every value and where it comes from; `edgekit targets schema` explains each.
extends = "{parent}"
name = "{name}"
title = "{title}, our own"

# [llm]
# recipe = "{base.llm.recipe}"
# max_length = {base.llm.max_length}

# [llm.budget]
# decode_tps = {{ min = 10.0 }}
# "ttft_ms@pp512" = {{ max = 900.0 }}

# [tensor]
# recipe = "{base.tensor.recipe}"

# [tensor.budget]
# latency_p90_ms = {{ max = 50.0 }}
"""


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
        hint = nearest(str(first["loc"][-1]), _known_keys(first["loc"][:-1]))
        return TargetError(f"{name}: unknown key {where!r}{hint}", next="edgekit targets schema lists every key")
    said = first["msg"].removeprefix("Value error, ") if first["type"] == "value_error" else first["msg"].lower()
    return TargetError(f"{name}: {where}: {said}", next="edgekit targets schema lists every key")


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    """The keys of the table at this place: ("tensor", "variant", 0) is a Variant."""
    here: Any = Target
    for part in loc:
        if isinstance(part, int):
            continue
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(part)
            here = field.annotation if field else None
            here = here if get_origin(here) is dict else _model_in(here)
        elif get_origin(here) is dict:
            here = _model_in(get_args(here)[1])
    return list(here.model_fields) if isinstance(here, type) and issubclass(here, BaseModel) else []


def _model_in(annotation: Any) -> Any:
    """The model inside `Model`, `Model | None` or `tuple[Model, ...]`."""
    if get_origin(annotation) in (tuple, Union, UnionType):
        return next((found for one in get_args(annotation) if (found := _model_in(one))), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _folder() -> Path:
    """targets/: inside the package in a wheel, beside it in an editable install."""
    inside = Path(str(files("edgekit"))) / "targets"
    return inside if inside.is_dir() else Path(str(files("edgekit"))).parent / "targets"
