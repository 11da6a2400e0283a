"""The manifest before it is sealed: everything that is known once the model is built, but files and quality."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from edgekit import __version__
from edgekit.bundle.manifest import (
    Compatibility,
    LlmContract,
    Manifest,
    Memory,
    Quality,
    RecipeFacts,
    SourceFacts,
    Stage,
    TargetFacts,
    TensorContract,
    Variant,
)
from edgekit.bundle.stage import copy, write
from edgekit.data import digest, file_digest, jsonable
from edgekit.errors import BuildError, SourceError
from edgekit.model import TextInput
from edgekit.plan import Plan, VariantPlan
from edgekit.sources.facts.onnx_graph import metadata, read_model
from edgekit.sources.source import Source
from edgekit.target import Target


def draft(
    plan: Plan,
    source: Source,
    target: Target,
    models: Mapping[str, Path],
    calibration: dict[str, object] | None,
    tools: dict[str, str],
) -> Manifest:
    """The manifest of a built model.

    Args:
        models: by variant, the folder of the built files as they will lie in model/<variant>/.
        calibration: facts of the calibration data that was used.
        tools: engine versions by distribution name.
    """
    main, model = plan.main, models[plan.main.name]
    settings = target.llm if plan.kind == "llm" else target.tensor
    return Manifest(
        name=f"{source.model.name}-{target.name}",
        target=_target(target),
        model=source.model,
        source=SourceFacts(
            ref=source.ref,
            kind=source.form,
            sha256=source.model.sha256,
            licence=source.model.licence,
            origin=source.origin,
            trust_remote_code=source.trust_remote_code,
        ),
        recipe=RecipeFacts(
            name=main.recipe,
            summary=main.summary,
            precision=main.precision,
            sha256=main.recipe_sha256,
            calibration=calibration if plan.calibrated else None,
            stages=tuple(Stage(**step.model_dump()) for step in plan.steps),
        ),
        tools={"edgekit": __version__, **tools},
        variants=tuple(_variant(plan, one, target) for one in plan.variants),
        contract=_contract(plan, source, model),
        memory=_memory(plan, source, target, model),
        platform={key: value for key, value in jsonable(target.platform).items() if value and key != "source"},
        pick=settings.pick,
        quality=Quality(verdict="not-measured", mode="off", notes=("not yet compared with the source",)),
        budget=target.budget | settings.budget | (source.card.budget if source.card else {}),
    )


def labels(source: Source) -> str:
    """The text of labels.txt, one name a line in the order of the output's last axis; empty without names."""
    if source.card is None:
        return ""
    known = source.card.labels
    if known.metadata:
        listed = metadata(source.path).get(known.metadata, "")
        names = [*known.before, *listed.removesuffix("\n").split("\n"), *known.after]
    else:
        names = list(known.values)
    return "".join(f"{name}\n" for name in names)


def settle_genai(folder: Path, contract: LlmContract) -> None:
    """Write into genai_config.json what the engine would otherwise take from defaults.

    search.max_length defaults to the whole context window, and the key-value cache is allocated for it; the end tokens
    become the full list of the generation config and the chat template, so that answers stop.
    """
    path = folder / "genai_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["model"]["eos_token_id"] = list(contract.eos_token_ids)
    config["model"]["context_length"] = contract.context_length
    config["search"]["max_length"] = contract.max_length
    path.unlink()
    write(path, json.dumps(config, indent=4, sort_keys=True) + "\n")


def settle_tensor(staged: Path, contract: TensorContract, source: Source) -> None:
    """Put beside the graph what an app needs around it: the labels of its outputs, the tokenizer of its texts."""
    if contract.labels:
        write(staged / contract.labels, labels(source))
    tokenizer = source.path.parent / "tokenizer.json"
    if any(isinstance(one.preprocess, TextInput) for one in contract.inputs) and tokenizer.is_file():
        for folder in (staged / "model").iterdir():
            copy(tokenizer, folder / tokenizer.name)


def licences(source: Source) -> dict[str, str]:
    """The texts for LICENSES/: the model's own, a note on where it came from, and the runtime's."""
    card = source.card
    lines = [
        f"Model: {source.model.name}",
        f"Licence (SPDX): {source.model.licence}",
        f"Source: {source.ref}",
        *([f"Publisher: {card.source_url}", f"Licence stated at: {card.licence_url}"] if card else []),
        *source.origin,
        "",
        "The runtime in runtime/ is part of edgekit, Apache-2.0 (Apache-2.0.txt).",
    ]
    texts = {"MODEL.txt": "\n".join(lines) + "\n", "Apache-2.0.txt": _apache()}
    for path in source.licences:
        texts[f"model-{path.name}"] = path.read_text(encoding="utf-8", errors="replace")
    return texts


def _apache() -> str:
    return (Path(str(files("edgekit.bundle"))) / "licences" / "Apache-2.0.txt").read_text(encoding="utf-8")


def _target(target: Target) -> TargetFacts:
    return TargetFacts(
        name=target.name,
        title=target.title,
        status=target.status,
        status_reason=target.status_reason,
        os=target.os,
        abi=target.abi,
        sha256=digest(jsonable(target)),
        runtime=target.runtime,
    )


def _variant(plan: Plan, variant: VariantPlan, target: Target) -> Variant:
    floors = {one.name: one.floor for one in target.runtime}
    folder = f"model/{variant.name}"
    return Variant(
        name=variant.name,
        path=folder if plan.kind == "llm" else f"{folder}/model.onnx",
        ep=variant.ep,
        ep_options=variant.ep_options,
        recipe=variant.recipe,
        precision=variant.precision,
        compatibility=Compatibility(
            os=(target.os,),
            abi=target.abi,
            soc=variant.soc,
            htp_arch=variant.htp_arch,
            min_onnxruntime=floors.get("onnxruntime") or target.engine_floor(),
            min_onnxruntime_genai=_genai_floor(target) if plan.kind == "llm" else None,
        ),
    )


def _genai_floor(target: Target) -> str | None:
    return next((one.floor for one in target.runtime if "genai" in one.name.lower()), None)


def _contract(plan: Plan, source: Source, model: Path) -> LlmContract | TensorContract:
    facts = source.model.llm
    if facts is not None and plan.max_length is not None:
        template = model / "chat_template.jinja"
        return LlmContract(
            eos_token_ids=facts.eos_token_ids,
            bos_token_id=facts.bos_token_id,
            context_length=facts.context_length,
            max_length=plan.max_length,
            chat_template_sha256=file_digest(template) if template.is_file() else None,
            vocab_size=facts.vocab_size,
        )
    try:
        built = read_model(model / "model.onnx", name=source.model.name)
    except SourceError as error:  # a graph of our own making: the source is not to blame
        raise BuildError(f"the built model is no good: {error.message}", next="try another --recipe") from error
    wanted = {one.name for one in source.model.inputs}, {one.name for one in source.model.outputs}
    have = {one.name for one in built.inputs}, {one.name for one in built.outputs}
    if wanted != have:
        raise BuildError(
            "the built model's inputs or outputs are not the source's: "
            f"{', '.join(sorted((wanted[0] ^ have[0]) | (wanted[1] ^ have[1])))}",
            next="try another --recipe, and report the model",
        )
    return TensorContract(
        inputs=source.model.inputs,
        outputs=source.model.outputs,
        labels=f"model/{plan.main.name}/labels.txt" if labels(source) else None,
        decode=source.card.decode if source.card else "none",
    )


def _memory(plan: Plan, source: Source, target: Target, model: Path) -> Memory:
    """Predicted from the files and the target's own coefficients; nothing was measured."""
    mapped = sum(path.stat().st_size for path in model.glob("*.onnx*"))
    facts = source.model.llm
    if facts is None or plan.max_length is None:
        prepacked = int(mapped * (target.tensor.memory.prepack_factor - 1))
        return Memory(mapped_bytes=mapped, prepacked_bytes=prepacked, predicted_peak_bytes=mapped + prepacked)
    factors = target.llm.memory
    per_token = 2 * facts.layers * facts.kv_heads * facts.head_size * factors.kv_bytes_per_value
    rows = 512 if factors.prefill_logits else 1
    logits = rows * facts.vocab_size * factors.logits_bytes_per_value
    prepacked = int(mapped * (factors.prepack_factor - 1))
    return Memory(
        mapped_bytes=mapped,
        prepacked_bytes=prepacked,
        kv_dtype={4: "float32", 2: "float16", 1: "int8"}[factors.kv_bytes_per_value],
        kv_bytes_per_token=per_token,
        kv_bytes_at_max_length=per_token * plan.max_length,
        logits_bytes_pp512=logits,
        predicted_peak_bytes=mapped + prepacked + per_token * plan.max_length + logits,
    )
