"""What a target says of any kind of model; a kind's own table adds to it."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from edgekit import ep
from edgekit.data import Strict, nearest
from edgekit.kinds.variant import Asked, Variant
from edgekit.model import Kind, Model, kinds
from edgekit.predict.effort import Machine
from edgekit.results import metrics
from edgekit.results.metrics import Limit
from edgekit.wrappers.python import guard


class Package(Strict):
    """A runtime package an app links: where it comes from and which versions will do."""

    name: str
    channel: Literal["pip", "maven", "nuget", "swiftpm", "npm", "release-page", "system"]
    floor: str = Field(description="the lowest version that runs what is built")
    excluded: tuple[str, ...] = Field(default=(), description="bad releases at or above the floor")
    excluded_reason: str = Field(default="", description="why, with where it is reported")
    last_seen: str = Field(description="newest version seen, with its date")
    sha256: str | None = Field(default=None, description="of the archive, where one file serves all")
    kinds: tuple[Kind, ...] = Field(default=tuple(kinds()), description="the kinds of model that need it")
    engine: str | None = Field(
        default=None, description="the version of ONNX Runtime that the floor version is or carries"
    )
    qairt: str | None = Field(default=None, description="the Qualcomm runtime that the floor version carries")
    source: str = Field(description="where these facts were read")


class InsteadOf(Strict):
    """Why this kind of model does not run on the accelerator the target is named after."""

    ep: str = Field(description="the execution provider that was meant")
    reason: str
    alternatives: tuple[str, ...] = Field(default=(), description="targets that do run this kind on an accelerator")
    source: str = ""


class Memory(Strict):
    """How bytes on disk become bytes in memory; predictions use these."""

    prepack_factor: float = Field(default=1.0, ge=1.0, description="weights in memory over weights on disk, at worst")
    kv_bytes_per_value: int = Field(default=4, description="llm: of a float key-value cache; 4 float32, 2 float16")
    logits_bytes_per_value: int = Field(default=4, description="llm: of the logits")
    engine_bytes: int | None = Field(
        default=None,
        ge=0,
        description="what a process with the engine takes besides the model's own; none where nobody measured it",
    )
    prefill_logits: bool = Field(default=True, description="llm: logits of every prompt token are kept, not the last's")
    source: str = ""


PORTABLE = Variant(name="portable")


class Settings(Strict):
    """What every kind of model has in a target: its [NAME] table."""

    KIND: ClassVar[str]
    COMPARED: ClassVar[str] = "the float source on the same inputs"  # what the gate holds a build against
    OWN_TEXT: ClassVar[bool] = False  # recipes calibrate on a text that ships with edgekit
    EXAMPLE: ClassVar[str] = '# recipe = "{0.recipe}"\n'  # what a target of one's own may begin with

    recipe: str = ""

    ep: str = "cpu"
    ep_options: dict[str, str] = {}
    precision: str = Field(default="", description="what the recipe gives, in the words of recipes")
    static_shapes: bool = Field(default=False, description="every dimension must be fixed before the build")
    fallback: Literal["cpu", "none"] = Field(default="cpu", description="who runs what the provider leaves")
    coverage_min: float = Field(
        default=0.0, ge=0.0, le=1.0, description="the share of the work the provider should take; less is a warning"
    )
    instead_of: InsteadOf | None = None
    variant: tuple[Asked, ...] = Field(
        default=(), description="[[llm.variant]], [[tensor.variant]]; none: one portable"
    )
    memory: Memory = Memory()
    budget: dict[str, Limit] = Field(default={}, description="default budgets of this kind; a card's come on top")
    note: str = ""
    source: str = Field(default="", description="where these choices come from")

    @field_validator("budget")
    @classmethod
    def _judged(cls, budget: dict[str, Limit]) -> dict[str, Limit]:
        return metrics.checked(budget, by="check", kind=cls.KIND)

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
            for problem in guard.options(provider, self.options(variant), "the target"):
                raise ValueError(problem)
        return self

    def options(self, variant: Variant = PORTABLE) -> dict[str, str]:
        """The provider options of a variant: its own over those of the settings (which are for their own provider)."""
        shared = self.ep_options if variant.ep in ("", self.ep) else {}
        return {**shared, **variant.ep_options}

    def variants(self) -> tuple[Variant, ...]:
        """The variants a bundle has, with nothing left to the settings but the recipe for a lack of calibration."""
        return tuple(
            variant.model_copy(
                update={"ep": variant.ep or self.ep, "ep_options": self.options(variant)} | self._quantized(variant)
            )
            for variant in self.variant or (PORTABLE,)
        )

    def resolved(self, model: Model, machine: Machine, calibrates: bool) -> tuple[Self, str]:
        """With the recipe for this model on the machine that builds it, and why where it is not `recipe` itself."""
        return self, ""

    @property
    def least_engine(self) -> str:
        """The first ONNX Runtime that runs what these settings ask for; empty where any does."""
        return ""

    def lengths(self, model: Model) -> tuple[int | None, int | None]:
        """Tokens of prompt and answer, and of a call of a static graph; None for what there is not."""
        return None, None

    def _quantized(self, variant: Variant) -> dict[str, str]:
        return {"recipe": variant.recipe or self.recipe, "precision": variant.precision or self.precision}
