"""The optimize stage: runs a plan's Olive step in a child process and keeps the result in the cache."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit import cache, console, passes, tools, warm
from edgekit.cache import Entry
from edgekit.code import Basis
from edgekit.digests import Snapshot
from edgekit.errors import BuildError, SourceError
from edgekit.extras import require
from edgekit.kinds.variant import Variant
from edgekit.plan import FLOAT, Plan
from edgekit.sources.facts.onnx_graph import external_files, is_quantized

ENGINES = ("olive-ai", "onnx", "onnxruntime", "onnxruntime-genai", "torch", "transformers", "numpy")
OLIVE = tools.module("edgekit.jobs.olive.run")
TIMEOUT = 6 * 3600.0  # seconds; a 14B model on a small machine takes hours


def key(plan: Plan, variant: Variant, source_sha256: str, calibration_sha256: str | None) -> dict[str, Any]:
    """All that a variant's optimized model depends on."""
    config = plan.optimize_step(variant).config
    return {
        "source": source_sha256,
        "config": config,
        "recipe": variant.recipe_sha256,
        "calibration": calibration_sha256 if variant.calibrated else None,
        "expected": list(plan.files(variant)),
        "basis": basis(config, calibrated=variant.calibrated).key(),
    }


def run(
    plan: Plan,
    variant: Variant,
    source: Path,
    source_sha256: str,
    calibration: Path | None,
    calibration_sha256: str | None,
    read: Sequence[Snapshot] = (),
) -> Entry:
    """The optimized model of a variant: entry.path / "model" holds plan.files(variant).

    Variants, targets and later builds that ask for the same passes on the same source share one entry.

    Args:
        read: of the source and the calibration data, from before their digests were taken.

    Raises:
        ToolMissing: the `build` extra is not installed.
        SourceError: the source or the data changed meanwhile.
        BuildError: Olive failed, ran out of memory or disk, or left something that does not load.
    """
    wanted = key(plan, variant, source_sha256, calibration_sha256)

    def make(folder: Path) -> dict[str, Any] | None:
        if wanted["config"]:
            return _make(plan, variant, source, calibration, folder)
        _keep(source, folder / "model")
        return None

    what = f"{plan.model} {variant.recipe}"
    declared = basis(wanted["config"], calibrated=variant.calibrated)
    return cache.produce("optimize", wanted, make, what=what, read=read, basis=declared)


def prepared(model: Path) -> Path | None:
    """The float graph that an entry's quantized model was made of, where it was kept (jobs/olive/passes/_kept.py)."""
    path = model.parent / "prepared.onnx"
    return path if path.is_file() else None


def basis(config: Mapping[str, Any], *, calibrated: bool) -> Basis:
    """The code and the engines that the result of a workflow depends on; of no workflow, how a model is copied."""
    if not config:
        return Basis((), ("edgekit.optimize", "edgekit.sources.facts.onnx_graph"), floats=False)
    data = ["edgekit.inputs.calibration"] if calibrated else []
    roots = ("edgekit.jobs.olive.run", "edgekit.jobs.warm", "edgekit.tools", *passes.modules(config), *data)
    return Basis(roots, ("edgekit.optimize",), ENGINES)


def _make(plan: Plan, variant: Variant, source: Path, calibration: Path | None, folder: Path) -> dict[str, Any]:
    """Run Olive; returns its account."""
    require("build")
    request: dict[str, Any] = {
        "config": plan.optimize_step(variant).config,
        "source": str(source.absolute()),
        "work": str(folder),
        "calibration": str(calibration.absolute()) if calibration else None,
        "expected": list(plan.files(variant)),
    }
    trusted = request["config"]["input_model"].get("load_kwargs", {}).get("trust_remote_code", False)
    # What runs code that lies beside the weights is forked from nothing that serves others.
    with console.step(f"quantizing with {variant.recipe}"), warm.apart(alone=trusted):
        outcome = tools.job(
            OLIVE,
            request,
            folder,
            timeout=TIMEOUT,
            what="Olive",
            on_event=lambda event: console.tick(str(event.get("text", ""))),
            env=tools.homes(folder / "hf"),
        )
    if variant.precision not in FLOAT and not any(map(is_quantized, (folder / "model").glob("*.onnx"))):
        keep = "--recipe keep ships it as it is (quantizers take the float32 weights of matrix products)"
        raise BuildError(
            f"{variant.recipe} found nothing to quantize in {plan.model}: the result is no {variant.precision} model",
            next=keep if plan.form == "onnx" else "report the model; --recipe llm_float16 builds it unquantized",
        )
    shutil.rmtree(folder / "hf", ignore_errors=True)
    for name in ("request.json", "outcome.json", "log.txt"):
        (folder / name).unlink(missing_ok=True)
    used: dict[str, Any] = outcome["used"]
    return used


def _keep(source: Path, model: Path) -> None:
    """A model that is kept as it is: its graph under our name, with the external data it refers to."""
    model.mkdir()
    shutil.copyfile(source, model / "model.onnx")
    for name in external_files(source):
        if name == "model.onnx" != source.name:
            raise SourceError("its external data is called model.onnx, as its graph will be", next="rename that file")
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source.parent / name, model / name)
