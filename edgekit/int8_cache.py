"""The stage of the int8 key-value cache: a child finds the scales of a built decoder, and its graph gets them.

The scales are a result of the cache; the graph is written anew into the workspace, and its weights stay where they lie.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit import cache, console, tools
from edgekit.code import Basis
from edgekit.extras import require
from edgekit.plan import Plan
from edgekit.recipes._int8_cache import NAME
from edgekit.sources.facts import kv_cache
from edgekit.sources.facts.onnx_graph import parse

CHILD = "edgekit.jobs.kv_cache"
FOLDER, SCALES, GRAPH = "int8-cache", "scales.npz", "model.onnx"
TIMEOUT = 2 * 3600.0  # seconds: 6,000 tokens of a 14B model
ENGINES = ("onnx", "onnxruntime", "numpy", "tokenizers")
BASIS = Basis((CHILD,), ("edgekit.int8_cache",), ENGINES)


def int8_cached(plan: Plan, models: Mapping[str, Path], work: Path) -> dict[str, Path]:
    """By variant, the folder of its files, with an int8 cache where the plan has that step.

    Args:
        models: the folders of the built models, which are only read.
        work: a folder of the workspace.

    Raises:
        BuildError: a graph whose cache cannot be int8.
    """
    made = dict(models)
    for step in plan.steps:
        if step.name == NAME:
            made |= {name: _applied(plan, models[name], step.config, work / FOLDER / name) for name in step.variants}
    return made


def scales(plan: Plan, model: Path, config: Mapping[str, Any]) -> Path:
    """The .npz of the scales of a built model, by the names of its graph's inputs; found, or made now."""
    key = {"model": cache.path_digest(model), "config": dict(config), "basis": BASIS.key()}

    def make(folder: Path) -> dict[str, Any]:
        require("build")
        with console.step("calibrating the key-value cache"):
            outcome = tools.job(
                tools.module(CHILD),
                {"model": str(model.absolute()), **config, "out": str(folder / SCALES)},
                folder,
                timeout=TIMEOUT,
                what="the built model",
                on_event=lambda event: console.tick(str(event.get("text", ""))),
            )
        for name in ("request.json", "outcome.json", "log.txt"):
            (folder / name).unlink(missing_ok=True)
        used: dict[str, Any] = outcome["used"]
        return used

    return cache.produce("optimize", key, make, what=f"{plan.model} {NAME}", basis=BASIS).path / SCALES


def _applied(plan: Plan, model: Path, config: Mapping[str, Any], folder: Path) -> Path:
    """The folder with the changed graph, and links to the other files."""
    import numpy as np

    with np.load(scales(plan, model, config)) as stored:
        by_name = {name: stored[name] for name in stored.files}
    proto = parse(model / GRAPH)
    kv_cache.to_int8(proto, by_name)
    shutil.rmtree(folder, ignore_errors=True)  # of a build that the gate had made again
    folder.mkdir(parents=True)
    (folder / GRAPH).write_bytes(proto.SerializeToString(deterministic=True))
    for path in model.iterdir():
        if path.name != GRAPH:
            (folder / path.name).symlink_to(path.absolute())
    return folder
