"""Adapters beside a language model: inputs of its graph that an .onnx_adapter file fills at run time.

Each projection that an adapter changes gets two more inputs, A^T [in, rank] and B^T [rank, out] (scaled), of any rank;
their defaults have rank 0, which adds nothing. So one graph serves every adapter, of any recipe that keeps the
projections where they were, and the quantized weights are those of the bundle without adapters.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from edgekit import console, ep
from edgekit.adapters import files, graph
from edgekit.errors import BuildError
from edgekit.plan import Plan
from edgekit.sources.facts import safetensors
from edgekit.sources.source import Source
from edgekit.wrappers.python.manifest import adapter as file_of

GRAPH = "model.onnx"
FOLDER = "adapters"
EPS = ("cpu",)  # on which GenAI was seen to switch adapters
ROTATING = ("QuaRot", "SpinQuant")  # Olive's passes
MERGE = "put one adapter into the weights (--merge-adapter)"


def refuse_early(plan: Plan, source: Source) -> None:
    """Before the first slow step: can the adapters be beside this model, on this target?

    Raises:
        BuildError: the target runs it where adapters cannot be switched, or the recipe turns what they were trained on.
    """
    if not source.adapters:
        return
    if elsewhere := [variant.ep for variant in plan.variants if variant.ep not in EPS]:
        raise BuildError(
            f"{plan.target} runs language models on {ep.load(elsewhere[0]).title}, where adapters cannot be switched",
            next=f"{MERGE}, or take a target of the CPU (edgekit targets)",
        )
    for variant in plan.variants:
        passes = plan.optimize_step(variant).config.get("passes", {})
        if turned := [step["type"] for step in passes.values() if step["type"] in ROTATING]:
            raise BuildError(
                f"the recipe {variant.recipe} rotates the weights ({turned[0]}), which an adapter was not trained on",
                next=f"take another --recipe, or {MERGE}",
            )


def put_beside(models: Mapping[str, Path], source: Source, work: Path) -> dict[str, Path]:
    """By variant, the folder of its files with those of the adapters; the same folders where there are none.

    Args:
        models: the folders of the built models, which are only read.
        work: a folder of the workspace.

    Raises:
        BuildError: a graph that has no place for an adapter.
    """
    if not source.adapters:
        return dict(models)
    base, made = safetensors.read_folder(source.path), {}
    for variant, built in models.items():
        folder = work / FOLDER / variant
        shutil.rmtree(folder, ignore_errors=True)  # of a build that the gate had made again
        folder.mkdir(parents=True)
        with console.step(f"adapters: {', '.join(lora.facts.name for lora in source.adapters)}"):
            places = graph.open_up(built / GRAPH, folder / GRAPH, source.adapters, base)
            for lora in source.adapters:
                files.write(folder / file_of(lora.facts.name), lora, places)
        for path in built.iterdir():
            if path.name != GRAPH:
                (folder / path.name).symlink_to(path.absolute())
        made[variant] = folder
    return made
