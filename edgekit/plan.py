"""Plan: what a build will do and why, before anything is done. Pure: Model + Target -> Plan."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from edgekit import recipes
from edgekit.catalog.cards import Card
from edgekit.data import Strict
from edgekit.errors import UsageError
from edgekit.model import Kind, Model
from edgekit.recipes import Recipe
from edgekit.target import LlmSettings, Target, TensorSettings

GENAI_FILES = (
    "model.onnx",
    "model.onnx.data",
    "genai_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
)


class Step(Strict):
    """One step of the build, why it is there, and its exact configuration."""

    stage: Literal["import", "optimize", "compile", "stage", "gate", "seal"]
    name: str
    reason: str
    config: dict[str, Any] = {}


class Plan(Strict):
    """What `edgekit build --dry-run` prints and build() follows."""

    format: Literal["1.0"] = "1.0"
    model: str
    target: str
    kind: Kind
    recipe: str
    recipe_sha256: str
    precision: str
    summary: str
    ep: str
    ep_options: dict[str, str] = {}
    variant: str = "portable"
    max_length: int | None = Field(default=None, description="llm: tokens of prompt and answer")
    calibrated: bool = False
    steps: tuple[Step, ...]
    expected_files: tuple[str, ...]
    notes: tuple[str, ...] = ()


def make(
    model: Model,
    target: Target,
    *,
    recipe: str | None = None,
    calibration: dict[str, Any] | None = None,
    card: Card | None = None,
    origin: tuple[str, ...] = (),
) -> Plan:
    """The plan for one model and one target.

    Args:
        recipe: the user's choice; wins over the card's and the target's.
        calibration: facts of the calibration data ({"inputs": count, "sha256": ...}), None without.
        origin: how the source was reached; shown as the import steps.

    Raises:
        UsageError: a recipe of the other model kind, or one that needs calibration data without any.
    """
    settings = target.llm if model.kind == "llm" else target.tensor
    chosen, reason = _choose(model, target, settings, recipe, calibration, card)
    if chosen.kind != model.kind:
        fitting = ", ".join(recipes.names(model.kind))
        raise UsageError(
            f"recipe {chosen.name} is for {chosen.kind} models, this one is {model.kind}",
            next=f"one of: {fitting}",
        )
    if chosen.calibrated and calibration is None:
        raise UsageError(
            f"recipe {chosen.name} needs calibration data",
            next="give --calibration FOLDER with pictures, recordings, .npz or .npy files like those the app will see",
        )
    imports = tuple(Step(stage="import", name="source", reason=line) for line in origin)
    steps = (*imports, _optimize(model, settings, chosen, reason), *_after(model, target))
    return Plan(
        model=model.name,
        target=target.name,
        kind=model.kind,
        recipe=chosen.name,
        recipe_sha256=chosen.sha256,
        precision=model.dtype if chosen.name == "keep" else chosen.precision,
        summary=chosen.summary,
        ep=settings.ep,
        ep_options=settings.ep_options,
        max_length=_max_length(model, settings),
        calibrated=chosen.calibrated,
        steps=steps,
        expected_files=GENAI_FILES if model.kind == "llm" else ("model.onnx",),
        notes=_notes(model, target, settings),
    )


def olive_config(model: Model, passes: list[dict[str, Any]]) -> dict[str, Any]:
    """The Olive workflow of some passes; what belongs to this machine (folders) is added by the child process."""
    if model.kind == "llm":
        source: dict[str, Any] = {"type": "HfModel", "model_path": "${SOURCE}", "task": "text-generation"}
        source["load_kwargs"] = {"trust_remote_code": False}
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


def _choose(
    model: Model,
    target: Target,
    settings: LlmSettings | TensorSettings,
    wanted: str | None,
    calibration: dict[str, Any] | None,
    card: Card | None,
) -> tuple[Recipe, str]:
    """The recipe and the reason for it: command line, then the model's own state, then card, then target."""
    if wanted:
        return recipes.load(wanted), "asked for on the command line"
    if model.quantized:
        return recipes.load("keep"), "the model is already quantized: kept as it is"
    carded = card.recipe.get(target.name) or card.recipe.get(model.kind) if card else None
    name, reason = (
        (carded, f"the card of {model.name} names it")
        if carded
        else (settings.recipe, f"the default of {target.name} for {model.kind} models")
    )
    recipe = recipes.load(name)
    if not recipe.calibrated or calibration is not None or isinstance(settings, LlmSettings):
        return recipe, reason
    return _uncalibrated(model, settings, recipe)


def _uncalibrated(model: Model, settings: TensorSettings, recipe: Recipe) -> tuple[Recipe, str]:
    """Without calibration data: dynamic int8 where most weights are in MatMul, else float."""
    total = sum(model.weight_bytes_by_op.values())
    matmul = sum(size for op, size in model.weight_bytes_by_op.items() if op in ("MatMul", "Gemm", "LSTM", "Attention"))
    without = f"{recipe.name} needs calibration data and none was given (--calibration FOLDER)"
    if total and matmul / total >= 0.5:
        reason = f"{without}; {matmul / total:.0%} of the weights are in matrix products, which dynamic int8 serves"
        return recipes.load(settings.recipe_uncalibrated), reason
    reason = f"{without}; dynamic int8 of convolutions is slower than float and less exact, so it stays float"
    return recipes.load("float32"), reason


def _optimize(model: Model, settings: LlmSettings | TensorSettings, recipe: Recipe, reason: str) -> Step:
    passes = recipe.passes(model, settings)
    return Step(
        stage="optimize",
        name=recipe.name,
        reason=f"{recipe.summary}; {reason}",
        config=olive_config(model, passes) if passes else {},
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


def _notes(model: Model, target: Target, settings: LlmSettings | TensorSettings) -> tuple[str, ...]:
    notes = [settings.note] if settings.note else []
    if target.status != "supported":
        notes.append(f"{target.name} is {target.status} ({target.status_date}): {target.status_reason}")
    if model.llm is not None and isinstance(settings, LlmSettings) and model.llm.context_length > settings.max_length:
        notes.append(
            f"the model's window is {model.llm.context_length} tokens; the bundle is set to {settings.max_length}, "
            "because the runtime allocates the key-value cache for all of it"
        )
    return tuple(notes)
