"""Card: a model edgekit knows by name: its place, its licence, how its inputs are made. The strict reader.

A card from outside the tree is a .toml file given instead of a name; its `ref` may be a path beside the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, field_validator

from edgekit import files, strangers
from edgekit.catalog.member import Decoder, Defect, Member, Score
from edgekit.data import Strict, nearest
from edgekit.errors import SourceError
from edgekit.kinds.variant import Variant
from edgekit.model import AudioInput, FixedInput, ImageInput, Kind, Preprocess, Sampling, StateInput, TextInput
from edgekit.results import metrics
from edgekit.results.metrics import FoundBy, Limit, LimitError

# How an app reads the outputs. "ctc": best label a step, repeats and blanks dropped; "dbnet": a map of text
# probability; "mean-pool": mean of the token vectors under the mask, scaled to length 1.
# inputs/layouts.py tells what a Layout is.
Layout = Literal["yolov5", "yolov8", "yolov10", "yolox", "detr", "rt-detr", "torchvision", "tf-detection"]
Decode = Literal["none", "classes", "ctc", "dbnet", "voice-activity", "sound", "pitch", "notes", "mean-pool", Layout]
SCHEMA_HINT = "edgekit models smollm2-135m-instruct shows a whole card"


class Labels(Strict):
    """Where the names of classes or characters come from, in the order of the output's last axis."""

    values: tuple[str, ...] = Field(default=(), description="the names themselves")
    metadata: str = Field(default="", description="the key of the ONNX file's metadata that holds one name a line")
    before: tuple[str, ...] = Field(default=(), description="put before the metadata's names (a CTC blank)")
    after: tuple[str, ...] = Field(default=(), description="put after the metadata's names (a space)")


class StandIn(Strict):
    """A file that is taken where the model itself cannot be had; whoever builds it is told."""

    ref: str = Field(description="as of a card")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the file that `ref` names")
    download_bytes: int = Field(description="size of the package that is downloaded")
    what: str = Field(description="what it is, and what that costs")


class Card(Strict):
    """One model of the catalogue. Every key is checked."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    title: str
    ref: str = Field(
        default="",
        description="hf:org/name[@commit], pypi:package==version#path/in/wheel, or a path beside the card; empty where "
        "nobody can download it",
    )
    stand_in: StandIn | None = Field(default=None, description="taken where `ref` cannot be reached")
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$", description="of the file that `ref` names")
    license: str = Field(default="", description="SPDX identifier; of one's own model it may be left out")
    license_url: str = Field(default="", description="where the publisher states it")
    source_url: str = Field(default="", description="the publisher's own page of the model")
    kind: Kind
    task: str = ""
    inputs: dict[str, Preprocess] = Field(default={}, description="how each input is made, by its name")
    labels: Labels = Labels()
    decode: Decode = "none"
    recipe: dict[str, str] = Field(default={}, description="recipe by target name, or by kind for every target")
    download_bytes: int = Field(default=0, description="size of the package that is downloaded")
    quality: dict[str, Limit] = Field(default={}, description="quality limits that override the defaults")
    budget: dict[str, Limit] = Field(default={}, description="what a check holds its measurements against")
    sampling: Sampling | None = Field(default=None, description="llm: as its publisher recommends; else as it ships")
    prompts: tuple[str, ...] = Field(default=(), description="llm: questions a right build answers")
    member: Member | None = Field(default=None, description="llm: what it is, for those who choose; checked on opening")
    notes: str = ""

    def variants_of(
        self, offered: Sequence[Variant], kind: Kind, target: str
    ) -> tuple[Sequence[Variant], tuple[str, ...]]:
        """Of a target's variants for this kind those whose recipe the card names, or all; and what is to be said."""
        named = self.recipe.get(target) or self.recipe.get(kind)
        alike = [variant for variant in offered if variant.recipe == named]
        if alike and len(alike) < len(offered):
            others = ", ".join(variant.name for variant in offered if variant not in alike)
            return alike, (f"the card of {self.name} names {named}: without the variants of other recipes ({others})",)
        if named is None or alike or target in self.recipe or all(variant.ep == "cpu" for variant in offered):
            return offered, ()
        return offered, (f"the card of {self.name} names {named} for CPUs: {target} has its own recipes",)

    @field_validator("budget", "quality")
    @classmethod
    def _judged(cls, limits: dict[str, Limit], field: ValidationInfo) -> dict[str, Limit]:
        by: FoundBy = "check" if field.field_name == "budget" else "gate"
        return metrics.checked(limits, by=by, kind=field.data.get("kind", ""))

    @field_validator("inputs", mode="before")
    @classmethod
    def _named_kinds(cls, value: Any) -> Any:
        """Choose each input's form by its `kind`, so that a wrong key is reported against that form alone."""
        return {name: _preprocess(name, one) for name, one in value.items()} if isinstance(value, dict) else value


FORMS: dict[str, type[Preprocess]] = {
    "image": ImageInput,
    "audio": AudioInput,
    "text": TextInput,
    "fixed": FixedInput,
    "state": StateInput,
}

MEMBER: dict[str, type[BaseModel]] = {"decoder": Decoder, "scores": Score, "defects": Defect}


def names() -> list[str]:
    """The names of the cards that ship with edgekit, sorted."""
    return sorted(path.stem for path in _folder().glob("*.toml"))


def packaged() -> list[str]:
    """The names of the cards whose model, or what stands in for it, comes out of a package: no hub is needed."""
    shipped = [load(name) for name in names()]
    return [card.name for card in shipped if card.stand_in is not None or card.ref.startswith("pypi:")]


def load(name: str) -> Card:
    """The card of this name, or of this .toml file.

    Raises:
        SourceError: unknown name, unreadable file, unknown key (the nearest is suggested), wrong value.
    """
    path = _find(name)
    try:
        data = strangers.toml(path)
    except (OSError, ValueError) as error:
        raise SourceError(f"{path.name} is not readable TOML: {error}", next="fix the card") from None
    try:
        card = Card.model_validate(data)
    except ValidationError as error:
        raise _explain(path.name, error) from None
    if not name.endswith(".toml") and card.name != name:
        raise SourceError(f"the card {path.name} calls itself {card.name!r}", next="give file and card the same name")
    return card


def _find(name: str) -> Path:
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise SourceError(f"no card file {name}", next="give the path of an existing .toml file")
        return path
    if name not in names():
        raise SourceError(
            f"unknown model {name!r}{nearest(name, names())}",
            next=f"one of: {', '.join(names())}; or the path of a model",
        )
    return _folder() / f"{name}.toml"


def _preprocess(name: str, value: Any) -> Preprocess:
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in FORMS:
        raise ValueError(f"inputs.{name}.kind must be one of {', '.join(FORMS)}")
    form: type[BaseModel] = FORMS[kind]
    try:
        return form.model_validate(value)  # type: ignore[return-value]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        hint = (
            nearest(key, form.model_fields) if first["type"] == "extra_forbidden" else f": {said[:1].lower()}{said[1:]}"
        )
        raise ValueError(f"inputs.{name}: wrong key {key!r}{hint}") from None


def _explain(file: str, error: ValidationError) -> SourceError:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        sections: dict[str, type[BaseModel]] = {
            "labels": Labels,
            "quality": Limit,
            "budget": Limit,
            "sampling": Sampling,
            "stand_in": StandIn,
            "member": MEMBER.get(str(first["loc"][1]), Member) if len(first["loc"]) > 2 else Member,
        }
        known = sections.get(str(first["loc"][0]), Card) if len(first["loc"]) > 1 else Card
        hint = nearest(str(first["loc"][-1]), known.model_fields)
        return SourceError(f"{file}: unknown key {where!r}{hint}", next=SCHEMA_HINT)
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, LimitError):
        return SourceError(f"{file}: {where}: {cause}", next=cause.next)
    if first["type"] == "value_error":
        return SourceError(f"{file}: {first['msg'].removeprefix('Value error, ')}", next=SCHEMA_HINT)
    return SourceError(f"{file}: {where}: {first['msg'].lower()}", next=SCHEMA_HINT)


def _folder() -> Path:
    return files.resource("catalog/models")
