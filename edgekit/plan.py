"""Plan: what a build will do and why, before anything is done. Pure: Model + Target -> Plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from edgekit import recipes
from edgekit.catalog.cards import Card
from edgekit.data import Strict, digest
from edgekit.errors import BuildError, UsageError
from edgekit.model import SMALL, Kind, Model
from edgekit.recipes import Recipe
from edgekit.target import LlmSettings, Target, TensorSettings, Variant

GENAI_FILES = (
    "model.onnx",
    "model.onnx.data",
    "genai_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
)
CALIBRATE = "give --calibration FOLDER with pictures, recordings, .npz or .npy files like those the app will see"
HALF = ("float16", "bfloat16")
FLOAT = ("float32", *HALF, "as-is")  # precisions that promise no quantized weights
DYNAMIC = ("MatMul", "Gemm", "LSTM", "Attention")  # what dynamic int8 quantizes


class Step(Strict):
    """One step of the build, why it is there, and its exact configuration."""

    stage: Literal["import", "optimize", "compile", "stage", "gate", "seal"]
    name: str
    reason: str
    variants: tuple[str, ...] = Field(default=(), description="of optimize and compile: which variants it makes")
    config: dict[str, Any] = {}


class VariantPlan(Strict):
    """One form of the model in the bundle: how it is quantized, for which provider, and what it is tied to."""

    name: str
    recipe: str
    recipe_sha256: str
    precision: str
    summary: str
    calibrated: bool
    reason: str = Field(description="why this recipe")
    ep: str
    ep_options: dict[str, str] = {}
    compile: Literal["qnn_context"] | None = None
    soc: tuple[str, ...] = ()
    soc_model: int | None = None
    htp_arch: str | None = None
    files: tuple[str, ...] | None = Field(default=None, description="what its recipe leaves, where not the usual files")
    note: str = ""


class Plan(Strict):
    """What `edgekit build --dry-run` prints and build() follows."""

    format: Literal["1.0"] = "1.0"
    model: str
    target: str
    kind: Kind
    variants: tuple[VariantPlan, ...] = Field(description="in the order an app tries them")
    max_length: int | None = Field(default=None, description="llm: tokens of prompt and answer")
    window: int | None = Field(default=None, description="llm: tokens a call of a static graph takes")
    steps: tuple[Step, ...]
    expected_files: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def main(self) -> VariantPlan:
        """The variant that the gate judges and the goldens are recorded from: the first that is not compiled."""
        return next((one for one in self.variants if one.compile is None), self.variants[0])

    def optimize_step(self, variant: VariantPlan) -> Step:
        """The step that makes a variant's model; its config is the Olive workflow, empty for a model kept as it is."""
        return next(one for one in self.steps if one.stage == "optimize" and variant.name in one.variants)

    def files(self, variant: VariantPlan) -> tuple[str, ...]:
        """The files that a variant's optimize step must leave."""
        return variant.files or _usual(self.kind)

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
) -> Plan:
    """The plan for one model and one target.

    Args:
        recipe: the user's choice; wins over the card's and the target's.
        calibration: facts of the calibration data ({"inputs": count, "sha256": ...}), None without.
        origin: how the source was reached; shown as the import steps.
        require_ep: the accelerator the target is named after must be used, or nothing is built.
        trust_remote_code: the source needs code of its own, and the user trusts it.

    Raises:
        UsageError: a recipe of the other model kind, or one that needs calibration data without any.
        BuildError: require_ep, and this kind of model does not run on the target's accelerator.
    """
    settings = target.llm if model.kind == "llm" else target.tensor
    if require_ep and settings.instead_of is not None:
        others = ", ".join(settings.instead_of.alternatives) or "none"
        raise BuildError(
            f"{target.name} cannot run {model.kind} models on {settings.instead_of.ep}: {settings.instead_of.reason}",
            next=f"leave out --require-ep to build for {settings.ep}, or take a target that can: {others}",
        )
    choice = _Choice(model, target, settings, recipe, calibration, card, trust_remote_code)
    chosen = [choice.variant(one) for one in settings.variants()]
    variants = tuple(one for one, _ in chosen)
    imports = tuple(Step(stage="import", name="source", reason=line) for line in origin)
    return Plan(
        model=model.name,
        target=target.name,
        kind=model.kind,
        variants=variants,
        max_length=_max_length(model, settings),
        window=settings.window if isinstance(settings, LlmSettings) else None,
        steps=(*imports, *_optimize(chosen), *_compile(variants), *_after(model, target)),
        expected_files=tuple(dict.fromkeys(name for one in variants for name in one.files or _usual(model.kind))),
        notes=_notes(model, target, settings, variants),
    )


def _usual(kind: Kind) -> tuple[str, ...]:
    return GENAI_FILES if kind == "llm" else ("model.onnx",)


def olive_config(model: Model, passes: list[dict[str, Any]], *, trusted: bool = False) -> dict[str, Any]:
    """The Olive workflow of some passes; what belongs to this machine (folders) is added by the child process."""
    if model.kind == "llm":
        source: dict[str, Any] = {"type": "HfModel", "model_path": "${SOURCE}", "task": "text-generation"}
        source["load_kwargs"] = {"trust_remote_code": trusted}
        passes = [_trusting(one, trusted) if one["type"].endswith("ModelBuilder") else one for one in passes]
    else:
        source = {"type": "ONNXModel", "model_path": "${SOURCE}"}
    config: dict[str, Any] = {
        "input_model": source,
        "passes": {
            f"p{index}_{one['type'].lower()}": {
                "type": one["type"],
                "config": {key: value for key, value in one.items() if key != "type"},
            }
            for index, one in enumerate(passes)
        },
    }
    if any("data_config" in one for one in passes):
        config["data_configs"] = [
            {
                "name": "calibration",
                "type": "DataContainer",
                "load_dataset_config": {"type": "edgekit_feeds", "params": {"folder": "${CALIBRATION}"}},
                "dataloader_config": {"type": "edgekit_unbatched"},
            }
        ]
    return config


def _trusting(builder: dict[str, Any], trusted: bool) -> dict[str, Any]:
    """GenAI's builder trusts the folder's code unless it is told not to."""
    return {**builder, "extra_options": {**builder.get("extra_options", {}), "hf_remote": trusted}}


@dataclass(frozen=True)
class _Choice:
    """Which recipe a variant gets: command line, then the model's own state, then card, then target."""

    model: Model
    target: Target
    settings: LlmSettings | TensorSettings
    wanted: str | None
    calibration: dict[str, Any] | None
    card: Card | None
    trusted: bool

    def variant(self, variant: Variant) -> tuple[VariantPlan, dict[str, Any]]:
        """The variant with its recipe loaded and checked, and the Olive workflow that makes it."""
        chosen, reason = self._choose(variant)
        if chosen.kind != self.model.kind:
            fitting = ", ".join(recipes.names(self.model.kind))
            raise UsageError(
                f"recipe {chosen.name} is for {chosen.kind} models, this one is {self.model.kind}",
                next=f"one of: {fitting}",
            )
        if chosen.calibrated and self.calibration is None and self.model.kind == "tensor":
            raise UsageError(f"recipe {chosen.name} needs calibration data", next=CALIBRATE)
        passes = chosen.passes(self.model, self.settings)
        made = VariantPlan(
            name=variant.name,
            recipe=chosen.name,
            recipe_sha256=chosen.sha256,
            precision=self.model.dtype if chosen.name == "keep" else chosen.precision,
            summary=chosen.summary,
            calibrated=chosen.calibrated,
            reason=reason,
            ep=variant.ep or self.settings.ep,
            ep_options=variant.ep_options,
            compile=variant.compile,
            soc=variant.soc,
            soc_model=variant.soc_model,
            htp_arch=variant.htp_arch,
            files=chosen.files(self.model, self.settings) if chosen.files else None,
            note=variant.note,
        )
        return made, olive_config(self.model, passes, trusted=self.trusted) if passes else {}

    def _choose(self, variant: Variant) -> tuple[Recipe, str]:
        own = next((one.recipe for one in self.settings.variant if one.name == variant.name), None)
        if self.wanted:
            return recipes.load(self.wanted), "asked for on the command line"
        if self.model.quantized:
            return recipes.load("keep"), "the model is already quantized: kept as it is"
        carded = self._carded() if own is None else None
        if carded:
            name, reason = carded, f"the card of {self.model.name} names it"
        else:
            name, reason = self._default(own)
        recipe = recipes.load(name)
        if self.model.kind == "tensor" and self.model.dtype in HALF and recipe.precision not in FLOAT:
            return recipes.load("keep"), f"kept as it is: quantizers take float32 weights, these are {self.model.dtype}"
        if not recipe.calibrated or self.calibration is not None or isinstance(self.settings, LlmSettings):
            return recipe, reason
        return self._uncalibrated(recipe, variant)

    def _default(self, own: str | None) -> tuple[str, str]:
        """The target's; `own` is the variant's."""
        reason = f"the default of {self.target.name} for {self.model.kind} models"
        small = self.settings.recipe_small if isinstance(self.settings, LlmSettings) else None
        if own is None and small and self.model.parameters < SMALL:
            return small, f"{reason} of under {SMALL // 10**6} million parameters"
        return own or self.settings.recipe, reason

    def _carded(self) -> str | None:
        """A card speaks for a target by name, or of a kind of model where the target has no accelerator."""
        if self.card is None:
            return None
        everywhere = self.card.recipe.get(self.model.kind) if self.settings.ep == "cpu" else None
        return self.card.recipe.get(self.target.name) or everywhere

    def _uncalibrated(self, recipe: Recipe, variant: Variant) -> tuple[Recipe, str]:
        """Without calibration data: what the target names; dynamic int8 only where most weights are in MatMul."""
        without = f"{recipe.name} needs calibration data and none was given (--calibration FOLDER)"
        name = variant.recipe_uncalibrated or "float32"
        if name != "int8_dynamic":
            return recipes.load(name), without
        total = sum(self.model.weight_bytes_by_op.values())
        matmul = sum(size for op, size in self.model.weight_bytes_by_op.items() if op in DYNAMIC)
        if total and matmul / total >= 0.5:
            share = f"{matmul / total:.0%} of the weights are in matrix products, which dynamic int8 serves"
            return recipes.load(name), f"{without}; {share}"
        reason = f"{without}; dynamic int8 of convolutions is slower than float and less exact, so it stays float"
        return recipes.load("float32"), reason


def _optimize(chosen: list[tuple[VariantPlan, dict[str, Any]]]) -> tuple[Step, ...]:
    """One step for each distinct quantization: variants that differ in other ways share it."""
    steps: dict[str, Step] = {}
    for one, config in chosen:
        key = digest([one.recipe_sha256, config])
        names = (*steps[key].variants, one.name) if key in steps else (one.name,)
        steps[key] = Step(
            stage="optimize",
            name=one.recipe,
            reason=f"{one.summary}; {one.reason}",
            variants=names,
            config=config,
        )
    return tuple(steps.values())


def _compile(variants: tuple[VariantPlan, ...]) -> tuple[Step, ...]:
    return tuple(
        Step(
            stage="compile",
            name=one.compile,
            reason=f"compiled ahead for {'/'.join(one.soc)} (HTP v{one.htp_arch}): the device need not do it",
            variants=(one.name,),
        )
        for one in variants
        if one.compile is not None
    )


def _after(model: Model, target: Target) -> tuple[Step, ...]:
    against = (
        "the float source on the same inputs"
        if model.kind == "tensor"
        else ("the float source: tokenizer, chat template, next-token distributions, behaviour")
    )
    return (
        Step(
            stage="stage",
            name="bundle",
            reason=f"model, runtime, check data and licences, for {target.title}",
        ),
        Step(stage="gate", name="quality", reason=f"compared with {against}; a failure seals nothing"),
        Step(
            stage="seal",
            name="manifest",
            reason="every file hashed, goldens recorded, renamed into place at once",
        ),
    )


def _max_length(model: Model, settings: LlmSettings | TensorSettings) -> int | None:
    """GenAI allocates the key-value cache for search.max_length, whose default is the whole context window."""
    if model.llm is None or not isinstance(settings, LlmSettings):
        return None
    return min(model.llm.context_length, settings.max_length)


def _notes(
    model: Model, target: Target, settings: LlmSettings | TensorSettings, variants: tuple[VariantPlan, ...]
) -> tuple[str, ...]:
    notes = [f"repaired: {one}" for one in model.repairs]
    notes += [settings.note] if settings.note else []
    if settings.instead_of is not None:
        notes.append(f"runs on {settings.ep}, not on {settings.instead_of.ep}: {settings.instead_of.reason}")
    if target.status != "supported":
        notes.append(f"{target.name} is {target.status} ({target.status_date}): {target.status_reason}")
    if model.llm is not None and isinstance(settings, LlmSettings) and model.llm.context_length > settings.max_length:
        notes.append(
            f"the model's window is {model.llm.context_length} tokens; the bundle is set to {settings.max_length}, "
            "because the runtime allocates the key-value cache for all of it"
        )
    notes += [f"variant {one.name}: {one.note}" for one in variants if one.note]
    return tuple(notes)
