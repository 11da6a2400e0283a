"""What the manifest will say, as far as it is known once the model is built: all but quality, placement and files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit import __version__, files, kinds
from edgekit.bundle.settle import FORMS
from edgekit.contract.manifest import Draft, RecipeFacts, SourceFacts, Stage, TargetFacts
from edgekit.data import digest, jsonable, part
from edgekit.kinds.variant import Compatibility, Variant
from edgekit.plan import Plan
from edgekit.sources.source import Source
from edgekit.target import Target


def draft(
    plan: Plan,
    source: Source,
    target: Target,
    models: Mapping[str, Path],
    compiled: Mapping[str, dict[str, Any]],
    calibration: dict[str, object] | None,
    tools: dict[str, str],
) -> Draft:
    """What is known of a built model.

    Args:
        models: by variant, the folder of the built files as they will lie in model/<variant>/.
        compiled: by variant, what its ahead-of-time compiler did; none, or empty, where it is not compiled.
        calibration: facts of the calibration data that was used.
        tools: engine versions by distribution name.
    """
    main, model = plan.main, models[plan.main.name]
    kind, settings = kinds.of(plan.kind), target.settings(plan.kind)
    facts = FORMS[plan.form].built(model, f"model/{main.name}", source)
    weights = sum(path.stat().st_size for path in model.glob("*.onnx*"))
    return Draft(
        name=f"{source.model.name}-{target.name}",
        target=part(TargetFacts, target, sha256=digest(jsonable(target))),
        model=source.model,
        source=SourceFacts(
            ref=source.ref,
            kind=source.form,
            sha256=source.model.sha256,
            license=source.model.license,
            origin=source.origin,
            trust_remote_code=source.trust_remote_code,
            accepted=source.accepted,
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
        variants=tuple(_variant(plan, one, target, compiled.get(one.name, {})) for one in plan.variants),
        contract=kind.describe(source.model, settings, facts),
        memory=kind.footprint(source.model, settings, weights),
        platform={key: value for key, value in jsonable(target.platform).items() if value and key != "source"},
        budget=target.budgets(source.model.kind) | (source.card.budget if source.card else {}),
    )


def licenses(source: Source) -> dict[str, str]:
    """The texts for LICENSES/: the model's own, a note on where it came from, and the runtime's."""
    runtime = "The runtime in runtime/ is part of edgekit, Apache-2.0 (Apache-2.0.txt)."
    apache = files.resource("bundle/licenses/Apache-2.0.txt").read_text(encoding="utf-8")
    own = {f"model-{path.name}": path.read_text(encoding="utf-8", errors="replace") for path in source.licenses}
    return {"MODEL.txt": f"{source.notice}\n{runtime}\n", "Apache-2.0.txt": apache, **own}


def _variant(plan: Plan, variant: Variant, target: Target, compiled: dict[str, Any]) -> Variant:
    tied = Compatibility(
        os=(target.os,),
        abi=target.abi,
        soc=variant.soc,
        htp_arch=variant.htp_arch,
        qairt=compiled.get("qairt") or None,
        min_onnxruntime=target.engine_floor(plan.kind),
        min_onnxruntime_genai=FORMS[plan.form].needs(target),
    )
    path = FORMS[plan.form].path(f"model/{variant.name}")
    return variant.model_copy(update={"path": path, "compatibility": tied, "compiled": compiled})
