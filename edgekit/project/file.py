"""edgekit.toml: what a project builds, as data. The strict reader; every key is checked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, field_validator

from edgekit import strangers
from edgekit.data import Strict, first_fault, nearest
from edgekit.errors import UsageError
from edgekit.predict.effort import Effort
from edgekit.results import metrics
from edgekit.results.metrics import FoundBy, Limit, LimitError

NAME = "edgekit.toml"
FORMAT = "1.0"
WORD = r"^[a-z0-9][a-z0-9_.-]*$"
SCHEMA = "edgekit init --schema prints every key with its meaning"


class Choices(Strict):
    """What may be said of a model, and otherwise of it on one target. Paths are relative to edgekit.toml."""

    recipe: str | None = Field(default=None, description="a quantization recipe's name or .py file")
    size: str | None = Field(default=None, description="of a language model's bundle, as 130MB: bits are found for it")
    cache_bits: Literal[8, 32] | None = Field(default=None, description="of a language model's key-value cache")
    effort: Effort | None = Field(default=None, description="quick, normal or best: what a default recipe may take")
    calibration: str | None = Field(default=None, description="folder of pictures, recordings, texts or arrays")
    labels: str | None = Field(default=None, description="CSV of the calibration files and their classes")
    text: str | None = Field(default=None, description="text for the gate instead of the one that ships")
    inputs: tuple[str, ...] = Field(default=(), description="how inputs are made, each as of --input-spec")
    adapters: dict[str, str] = Field(default={}, description="folders of LoRAs that PEFT saved, by name")
    merge_adapter: bool | None = Field(default=None, description="put the one adapter into the weights")
    quality: Literal["default", "fast", "thorough", "off"] | None = Field(default=None, description="of the gate")
    limits: dict[str, Limit] = Field(default={}, description="quality limits that override the defaults")
    budget: dict[str, Limit] = Field(default={}, description="what a check holds the bundle against")
    require_ep: bool | None = Field(default=None, description="fail where the accelerator would take too little")

    @field_validator("limits", "budget")
    @classmethod
    def _judged(cls, limits: dict[str, Limit], field: ValidationInfo) -> dict[str, Limit]:
        by: FoundBy = "check" if field.field_name == "budget" else "gate"
        return metrics.checked(limits, by=by)


class ModelEntry(Choices):
    """One model of the project; its name is that of its bundles."""

    source: str = Field(description="as edgekit build takes it; a path is relative to edgekit.toml")
    task: str | None = Field(default=None, description="of an encoder, vision or audio model folder")
    trust_remote_code: bool = Field(default=False, description="let code that lies beside the weights run; recorded")
    accept_source: bool = Field(default=False, description="build a source that the gate finds bad; recorded")
    own_inputs: bool = Field(default=False, description="ship inputs of the user's own data in check/")
    keep_metadata: bool = Field(default=False, description="leave an exporter's notes, paths and people in the graphs")
    targets: tuple[str, ...] | None = Field(default=None, description="instead of the project's")
    on: dict[str, Choices] = Field(default={}, description="what is otherwise on one target, by its name")


class Project(Strict):
    """edgekit.toml as a whole."""

    format: Literal["1.0"] = "1.0"
    out: str = Field(default="out", description="the folder of the bundles")
    zip: bool = Field(default=False, description="also write each bundle as a .zip")
    targets: tuple[str, ...] = Field(default=(), description="names, or .toml files, that each model is built for")
    devices: dict[str, str] = Field(default={}, description="by target, the device that checks its bundles")
    models: dict[str, ModelEntry] = Field(min_length=1, description="by the name of their bundles")

    @field_validator("models")
    @classmethod
    def _named(cls, models: dict[str, ModelEntry]) -> dict[str, ModelEntry]:
        for name in models:
            if not re.fullmatch(WORD, name):
                raise ValueError(f"{name!r} is no name for a model: small letters, digits, dots and dashes")
        return models


def nearest_file(folder: Path) -> Path | None:
    """The edgekit.toml of this folder, or of the nearest one above it; None where there is none."""
    return next((path / NAME for path in (folder, *folder.parents) if (path / NAME).is_file()), None)


def load(path: Path) -> Project:
    """The project that a file describes.

    Raises:
        UsageError: an unreadable file, an unknown key (the nearest is suggested), a wrong value, a model without a
            target, a target's table that nothing is built for.
    """
    try:
        data = strangers.toml(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is not readable TOML: {error}", next=f"fix the file; {SCHEMA}") from None
    try:
        project = Project.model_validate(data)
    except ValidationError as error:
        raise _explain(path.name, error) from None
    for name, entry in project.models.items():
        _check_targets(path.name, name, entry, targets_of(project, entry))
    return project


def targets_of(project: Project, entry: ModelEntry) -> tuple[str, ...]:
    """The targets of one model, each once."""
    return tuple(dict.fromkeys(project.targets if entry.targets is None else entry.targets))


def _check_targets(file: str, model: str, entry: ModelEntry, targets: tuple[str, ...]) -> None:
    if not targets:
        raise UsageError(f"{file}: no target for {model}", next='name some: targets = ["linux-cpu"]')
    for target in entry.on:
        if target not in targets:
            raise UsageError(
                f"{file}: models.{model}.on.{target}: {model} is not built for that{nearest(target, targets)}",
                next=f"one of: {', '.join(targets)}",
            )


def _explain(file: str, error: ValidationError) -> UsageError:
    where, message, fault = first_fault(error)
    if fault["type"] == "extra_forbidden":
        hint = nearest(str(fault["loc"][-1]), _keys(fault["loc"][:-1]))
        return UsageError(f"{file}: unknown key {where!r}{hint}", next=SCHEMA)
    if fault["type"] == "missing":
        return UsageError(f"{file}: {where} is missing", next=SCHEMA)
    cause = fault.get("ctx", {}).get("error")
    if isinstance(cause, LimitError):
        return UsageError(f"{file}: {where}: {cause}", next=cause.next)
    said = message.removeprefix("Value error, ") if fault["type"] == "value_error" else message.lower()
    return UsageError(f"{file}: {where}: {said}", next=SCHEMA)


def _keys(place: tuple[int | str, ...]) -> list[str]:
    """The keys that are known at a place of the file: at ("models", "chat", "on", "linux-cpu") those of Choices."""
    if {"limits", "budget"} & set(place):
        return list(Limit.model_fields)
    shapes: dict[int, type[BaseModel]] = {0: Project, 2: ModelEntry}
    return list(shapes.get(len(place), Choices).model_fields)
