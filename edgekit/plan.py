"""Plan: what a build will do and why, before anything is done. Pure: Model + Target -> Plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from edgekit import kinds, recipes
from edgekit.catalog.cards import Card
from edgekit.contract import genai_config
from edgekit.data import Strict, digest
from edgekit.errors import BuildError, SourceError, UsageError
from edgekit.kinds import Footprint, Form, Settings
from edgekit.kinds.variant import Chosen, Variant
from edgekit.model import NORM_EPSILON, Kind, Model
from edgekit.predict import weights
from edgekit.predict.effort import REFERENCE, Machine
from edgekit.recipes import Recipe, _int8_cache
from edgekit.recipes._workflow import workflow
from edgekit.target import Target

FILES: dict[Form, tuple[str, ...]] = {
    "onnx": ("model.onnx",),
    "genai": ("model.onnx", "model.onnx.data", genai_config.NAME, "tokenizer.json", "tokenizer_config.json"),
}
CALIBRATE = "give --calibration FOLDER with pictures, recordings, .npz or .npy files like those the app will see"
FLOAT_SOURCE = "give the float checkpoint that it was made from (float32, float16 or bfloat16 weights)"
HALF = ("float16", "bfloat16")
FLOAT = ("float32", *HALF, "as-is")  # precisions that promise no quantized weights


class Step(Strict):
    """One step of the build, why it is there, and its exact configuration."""

    stage: Literal["import", "optimize", "compile", "stage", "gate", "seal"]
    name: str
    reason: str
    variants: tuple[str, ...] = Field(default=(), description="of optimize and compile: which variants it makes")
    config: dict[str, Any] = {}


class Plan(Strict):
    """What `edgekit build --dry-run` prints and build() follows."""

    format: Literal["1.0"] = "1.0"
    model: str
    target: str
    kind: Kind
    variants: tuple[Chosen, ...] = Field(description="in the order an app tries them")
    max_length: int | None = Field(default=None, description="llm: tokens of prompt and answer")
    window: int | None = Field(default=None, description="llm: tokens a call of a static graph takes")
    steps: tuple[Step, ...]
    expected_files: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def main(self) -> Variant:
        """The variant that the gate judges and the goldens are recorded from: the first that is not compiled."""
        return next((one for one in self.variants if one.compile is None), self.variants[0])

    @property
    def form(self) -> Form:
        """How the model is packed: GenAI's folders are those that hold its configuration."""
        return "genai" if genai_config.NAME in self.expected_files else "onnx"

    def optimize_step(self, variant: Variant) -> Step:
        """The step that makes a variant's model; its config is the Olive workflow, empty for a model kept as it is."""
        return next(one for one in self.steps if one.stage == "optimize" and variant.name in one.variants)

    def files(self, variant: Variant) -> tuple[str, ...]:
        """The files that a variant's optimize step must leave."""
        return variant.files or FILES[self.form]

    @property
    def calibrated(self) -> bool:
        """True where a recipe uses the calibration data."""
        return any(one.calibrated for one in self.variants)


def make(
    model: Model,
    target: Target,
    *,
    recipe: str | None = None,
    calibration: dict[str, Any] | None = None,
    card: Card | None = None,
    origin: tuple[str, ...] = (),
    require_ep: bool = False,
    trust_remote_code: bool = False,
    remarks: tuple[str, ...] = (),
    machine: Machine = REFERENCE,
) -> Plan:
    """The plan for one model and one target.

    Args:
        recipe: the user's choice; wins over the card's and the target's.
        calibration: facts of the calibration data ({"inputs": count, "sha256": ...}), None without.
        origin: how the source was reached; shown as the import steps.
        require_ep: the accelerator the target is named after must be used, or nothing is built.
        trust_remote_code: the source needs code of its own, and the user trusts it.
        remarks: what else of the source a reader of the plan must know.
        machine: that builds; it decides what an effort affords.

    Raises:
        UsageError: a recipe of the other model kind, or one that needs calibration data without any; an int8 cache
            where the target's engine or graph has none.
        SourceError: a language model that somebody has quantized already, whatever recipe is asked for.
        BuildError: require_ep, and this kind of model does not run on the target's accelerator.
    """
    kind, settings = kinds.of(model.kind), target.settings(model.kind)
    form = kind.form(model, settings)
    if form == "genai" and model.quantized:
        raise SourceError(f"{model.name} is already quantized", next=FLOAT_SOURCE)
    if require_ep and settings.instead_of is not None:
        others = ", ".join(settings.instead_of.alternatives) or "none"
        raise BuildError(
            f"{target.name} cannot run {model.kind} models on {settings.instead_of.ep}: {settings.instead_of.reason}",
            next=f"leave out --require-ep to build for {settings.ep}, or take a target that can: {others}",
        )
    max_length, window = settings.lengths(model)
    choice = _Choice(model, target, settings, form, recipe, calibration, card, trust_remote_code, machine)
    offered: Sequence[Variant] = settings.variants()
    said: tuple[str, ...] = ()
    if card is not None and recipe is None and not model.quantized:
        offered, said = card.variants_of(offered, model.kind, target.name)
    chosen = [choice.variant(one) for one in offered]
    variants = tuple(one for one, _ in chosen)
    imports = tuple(Step(stage="import", name="source", reason=line) for line in origin)
    return Plan(
        model=model.name,
        target=target.name,
        kind=model.kind,
        variants=variants,
        steps=(
            *imports,
            *_optimize(chosen),
            *_int8(model, settings, target, variants),
            *_compile(variants),
            *_after(settings, target),
        ),
        expected_files=tuple(dict.fromkeys(name for one in variants for name in one.files or FILES[form])),
        notes=(*remarks, *said, *_notes(model, target, settings, variants)),
        max_length=max_length,
        window=window,
    )


def footprint(plan: Plan, model: Model, target: Target) -> Footprint:
    """What the plan's main variant will take where it runs, estimated from numbers alone."""
    passes = plan.optimize_step(plan.main).config.get("passes", {}).values()
    size = weights.estimate(model, plan.main.precision, [{"type": step["type"], **step["config"]} for step in passes])
    return kinds.of(plan.kind).footprint(model, target.settings(plan.kind), size)


@dataclass(frozen=True)
class _Choice:
    """Which recipe a variant gets: command line, then the model's own state, then card, then target."""

    model: Model
    target: Target
    settings: Settings
    form: Form
    wanted: str | None
    calibration: dict[str, Any] | None
    card: Card | None
    trusted: bool
    machine: Machine

    def variant(self, variant: Variant) -> tuple[Variant, dict[str, Any]]:
        """The variant with its recipe loaded and checked, and the Olive workflow that makes it."""
        chosen, reason, settings = self._choose(variant)
        if chosen.kind != self.model.kind:
            fitting = ", ".join(recipes.names(self.model.kind))
            raise UsageError(
                f"recipe {chosen.name} is for {chosen.kind} models, this one is {self.model.kind}",
                next=f"one of: {fitting}",
            )
        if chosen.calibrated and self.calibration is None and not self.settings.OWN_TEXT:
            raise UsageError(f"recipe {chosen.name} needs calibration data", next=CALIBRATE)
        if self.settings.OWN_TEXT and self.calibration is not None and not chosen.calibrated:
            reason += "; it reads no calibration text"
        passes = chosen.passes(self.model, settings)
        planned = variant.model_copy(
            update={
                "recipe": chosen.name,
                "recipe_sha256": chosen.sha256,
                "precision": self.model.dtype if chosen.name == "keep" else chosen.precision,
                "summary": chosen.summary,
                "calibrated": chosen.calibrated,
                "reason": reason,
                "files": chosen.files(self.model, settings) if chosen.files else None,
            }
        )
        return planned, workflow(self.form, passes, trusted=self.trusted) if passes else {}

    def _choose(self, variant: Variant) -> tuple[Recipe, str, Settings]:
        """Recipe, why it is that one, and the settings that it gets."""
        own = next((one.recipe for one in self.settings.variant if one.name == variant.name), "")
        settings, reason = self.settings, f"the default of {self.target.name} for {self.model.kind} models"
        if self.wanted:
            return recipes.load(self.wanted), "asked for on the command line", settings
        if self.model.quantized:
            return recipes.load("keep"), "the model is already quantized: kept as it is", settings
        if carded := None if own else self._carded():
            reason = f"the card of {self.model.name} names it"
        elif not own:
            settings, why = settings.resolved(self.model, self.machine, recipes.calibrates(self.model))
            reason += why
        recipe = recipes.load(own or carded or settings.recipe)
        if self.form == "onnx" and self.model.dtype in HALF and recipe.precision not in FLOAT:
            why = f"kept as it is: quantizers take float32 weights, these are {self.model.dtype}"
            return recipes.load("keep"), why, settings
        if not recipe.calibrated or self.calibration is not None or settings.OWN_TEXT:
            return recipe, reason, settings
        return *self._uncalibrated(recipe, variant), settings

    def _carded(self) -> str | None:
        """A card speaks for a target by name, or of a kind of model where the target has no accelerator."""
        if self.card is None:
            return None
        everywhere = self.card.recipe.get(self.model.kind) if self.settings.ep == "cpu" else None
        return self.card.recipe.get(self.target.name) or everywhere

    def _uncalibrated(self, recipe: Recipe, variant: Variant) -> tuple[Recipe, str]:
        """Without calibration data: what the target names, if it suits the model."""
        without = f"{recipe.name} needs calibration data and none was given (--calibration FOLDER)"
        instead = recipes.load(variant.recipe_uncalibrated or "float32")
        fits, why = instead.suits(self.model)
        return instead if fits else recipes.load("float32"), f"{without}; {why}" if why else without


def _optimize(chosen: list[tuple[Variant, dict[str, Any]]]) -> tuple[Step, ...]:
    """One step for each distinct quantization: variants that differ in other ways share it."""
    steps: dict[str, Step] = {}
    for one, config in chosen:
        key = digest([one.recipe_sha256, config])
        names = (*steps[key].variants, one.name) if key in steps else (one.name,)
        steps[key] = Step(
            stage="optimize", name=one.recipe, reason=f"{one.summary}; {one.reason}", variants=names, config=config
        )
    return tuple(steps.values())


def _int8(model: Model, settings: Settings, target: Target, variants: tuple[Variant, ...]) -> tuple[Step, ...]:
    """The calibration of an int8 key-value cache, where the settings ask for one."""
    if not (config := _int8_cache.config(model, target, settings)):
        return ()
    names, reason = tuple(variant.name for variant in variants), _int8_cache.REASON.format(settings.least_engine)
    return (Step(stage="optimize", name=_int8_cache.NAME, reason=reason, variants=names, config=config),)


def _compile(variants: tuple[Variant, ...]) -> tuple[Step, ...]:
    ahead = [(variant, variant.compile) for variant in variants if variant.compile is not None]
    why = "compiled ahead for {} (HTP v{}): the device need not do it"
    return tuple(
        Step(
            stage="compile",
            name=how,
            reason=why.format("/".join(variant.soc), variant.htp_arch),
            variants=(variant.name,),
        )
        for variant, how in ahead
    )


def _after(settings: Settings, target: Target) -> tuple[Step, ...]:
    return (
        Step(stage="stage", name="bundle", reason=f"model, runtime, check data and licences, for {target.title}"),
        Step(stage="gate", name="quality", reason=f"compared with {settings.COMPARED}; a failure seals nothing"),
        Step(stage="seal", name="manifest", reason="every file hashed, goldens recorded, renamed into place at once"),
    )


def _notes(model: Model, target: Target, settings: Settings, variants: tuple[Variant, ...]) -> tuple[str, ...]:
    notes = [f"repaired: {one}" for one in model.repairs]
    if key := NORM_EPSILON.get(model.architecture):
        notes.append(f"repaired: the graph's normalizations take {key} of config.json; GenAI's builder writes 1e-6")
    notes += [f"left out: {one}" for one in model.left_out]
    notes += [settings.note] if settings.note else []
    if settings.instead_of is not None:
        notes.append(f"runs on {settings.ep}, not on {settings.instead_of.ep}: {settings.instead_of.reason}")
    if target.status != "supported":
        notes.append(f"{target.name} is {target.status} ({target.status_date}): {target.status_reason}")
    notes += kinds.of(model.kind).notes(model, settings)
    notes += [offered] if (offered := _int8_cache.offer(model, target, settings)) else []
    notes += [f"variant {one.name}: {one.note}" for one in variants if one.note]
    return tuple(notes)
