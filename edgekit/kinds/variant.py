"""Variant: one form of a model in a bundle, from what a target asks for to what the manifest says of it."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, GetCoreSchemaHandler, ValidatorFunctionWrapHandler, create_model, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticUndefined, core_schema

from edgekit.data import Strict

Form = Literal["onnx", "genai"]  # how a model is packed: one .onnx file, or a folder of ONNX Runtime GenAI


class Compatibility(Strict):
    """The axes a variant is tied to; an absent axis is free. The wrapper names the axis it refuses."""

    os: tuple[str, ...] = ()
    abi: tuple[str, ...] = ()
    soc: tuple[str, ...] = ()
    htp_arch: str | None = None
    qairt: str | None = None
    min_onnxruntime: str | None = None
    min_onnxruntime_genai: str | None = None


class Variant(Strict):
    """One self-contained form of the model in a bundle; in a target, what is None is the settings' own."""

    name: str = Field(description="also the folder's name: model/<name>/")

    # What the target asks for; a plan settles what is left to the settings.
    recipe: str = ""
    recipe_uncalibrated: str | None = None
    precision: str = ""
    ep: str = ""
    ep_options: dict[str, str] = Field(default={}, description="of the provider, over those of the target's settings")
    compile: Literal["qnn_context"] | None = Field(default=None, description="the ahead-of-time compiler to run")
    soc: tuple[str, ...] = Field(default=(), description="the chips it is for, as ro.soc.model names them; any if none")
    soc_model: int | None = Field(default=None, description="Qualcomm's number of the chip, for the compiler")
    htp_arch: str | None = Field(default=None, description='the Hexagon version, "75"; any if none')
    note: str = ""
    source: str = ""

    # What the plan chose.
    recipe_sha256: str = ""
    summary: str = ""
    calibrated: bool = False
    reason: str = Field(default="", description="why this recipe")
    files: tuple[str, ...] | None = Field(default=None, description="what its recipe leaves, where not the usual files")

    # What was built, and what its compiler found.
    path: str = Field(
        default="", description="of the .onnx file (tensor) or of the GenAI folder (llm), relative to the bundle"
    )
    compatibility: Compatibility = Compatibility()
    compiled: dict[str, Any] = Field(default={}, description="facts of the ahead-of-time compiler")

    @property
    def form(self) -> Form:
        """How it is packed, by what its path names."""
        return "onnx" if self.path.endswith(".onnx") else "genai"


@dataclass(frozen=True)
class _Part:
    """The fields of a Variant that a document has: it reads and writes no others, and a variant in it has no others.

    Attributes:
        required: fields without which a variant is none.
        optional: fields whose default is the class's.
        inherited: text that the document need not have; None there, and empty in the class.
        name: the annotation of the name, where it is held to a pattern.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    inherited: tuple[str, ...] = ()
    name: Any = str

    @cached_property
    def form(self) -> type[Strict]:
        """The model of such a part."""
        known = Variant.model_fields
        fields: dict[str, Any] = {"name": (self.name, _without_default(known["name"]))}
        fields |= {name: (known[name].annotation, _without_default(known[name])) for name in self.required}
        fields |= {name: (known[name].annotation, known[name]) for name in self.optional}
        fields |= dict.fromkeys(self.inherited, (str | None, None))
        whole: dict[str, Any] = {"whole": model_validator(mode="after")(_whole)}
        return create_model("Variant", __base__=Strict, __doc__=Variant.__doc__, __validators__=whole, **fields)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        form = handler.generate_schema(self.form)
        written = core_schema.wrap_serializer_function_ser_schema(lambda it, write: write(self._of(it)), schema=form)
        return core_schema.no_info_wrap_validator_function(self._read, form, serialization=written)

    def _read(self, value: Any, handler: ValidatorFunctionWrapHandler) -> Variant:
        read = self._of(value) if isinstance(value, Variant) else handler(value)
        return Variant.model_construct(**{name: it for name, it in read if it is not None})

    def _of(self, variant: Variant) -> Strict:
        values = {name: getattr(variant, name) for name in self.form.model_fields}
        return self.form.model_construct(**values | {name: values[name] or None for name in self.inherited})


def _without_default(known: FieldInfo) -> FieldInfo:
    made = copy(known)
    made.default = PydanticUndefined
    return made


def _whole(form: Any) -> Any:
    if getattr(form, "compile", None) == "qnn_context" and not (form.soc and form.soc_model and form.htp_arch):
        raise ValueError("a variant compiled for QNN needs soc, soc_model and htp_arch")
    return form


_CHIP = ("compile", "soc", "soc_model", "htp_arch")

Asked = Annotated[
    Variant,
    _Part(
        required=(),
        optional=("recipe_uncalibrated", "ep_options", *_CHIP, "note", "source"),
        inherited=("recipe", "precision", "ep"),
        name=Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")],
    ),
]
"""[[llm.variant]] and [[tensor.variant]] of a target."""

Chosen = Annotated[
    Variant,
    _Part(
        required=("recipe", "recipe_sha256", "precision", "summary", "calibrated", "reason", "ep"),
        optional=("ep_options", *_CHIP, "files", "note"),
    ),
]
"""A variant of a plan."""

Sealed = Annotated[
    Variant, _Part(required=("path", "ep"), optional=("ep_options", "recipe", "precision", "compatibility", "compiled"))
]
"""A variant of a manifest."""
