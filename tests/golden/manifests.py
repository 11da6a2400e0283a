"""The golden manifests: edgekit.json of a net and of a language model of a few kilobytes, for every target.

drafts/TARGET.json      before the build: what a plan, a source and a target alone say. Pure: seconds
manifests/TARGET.json   of bundles that were built for real, compiled for the HTP's emulator where the target compiles

linux-cpu's are shown whole, the others as what differs from them. The net's weights and inputs are few-bit fractions,
so that its float sums are exact in any order: sizes, and what a calibration finds, do not depend on the CPU.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from onnx import helper

from edgekit import faces, plan, target
from edgekit.bundle import draft
from edgekit.bundle.stage import RUNTIME
from edgekit.contract.manifest import Manifest, Quality
from edgekit.data import jsonable
from edgekit.inputs import static
from edgekit.sources import open_source
from edgekit.sources.source import Source
from edgekit.target import Target
from tests.golden import plans
from tests.golden.text import like, text
from tests.unit.inputs import nets

BASE = "linux-cpu"
CALIBRATION = {"inputs": 24, "form": "array", "calibration": 12, "evaluation": 12, "sha256": "1" * 64}
# What is not compared, by path, and why; all else is, exactly.
LEFT_OUT = {
    "sha256": "of all the rest",
    "tools.*": "versions: constraints.txt has them; in what was measured with an engine they stand as ${version}",
    "recipe.sha256": "of the recipe's source: every comment changes it",
    "recipe.calibration.sha256": "it has the digest of edgekit's code that makes inputs in it",
    "files.runtime/*.sha256": "of edgekit's own source; that it is the source of this tree is compared by names",
    "files.runtime/*.size": "likewise",
    "files.model/*.sha256": "what an engine wrote",
    "files.check/goldens.npz.sha256": "what an engine answered",
    "quality.*.ran_on": "this machine",
    "quality.*.measurements.*.value": "what an engine computed; the verdicts are compared",
    "quality.*.verdicts.*.value": "likewise",
}
LEFT_OUT_OF_LLMS = {
    "model.sha256": "torch draws its random weights by the CPU's instructions",
    "source.sha256": "likewise",
}
VERSION = re.compile(r"\b(onnxruntime[a-z-]*) [0-9]+(?:\.[0-9]+)+")


def net(path: Path) -> Path:
    """A convolution, a mean and a matrix product, 10 kB; batch is a dimension that varies."""
    random = np.random.default_rng(7)
    constants = {
        "w": random.integers(-8, 9, size=(48, 3, 3, 3)).astype(np.float32) / 16,
        "b": random.integers(-4, 5, size=48).astype(np.float32) / 16,
        "v": random.integers(-8, 9, size=(48, 16)).astype(np.float32) / 4,
    }
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["conv"], strides=[2, 2]),
        helper.make_node("Relu", ["conv"], ["relu"]),
        helper.make_node("GlobalAveragePool", ["relu"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "v"], ["y"]),
    ]
    ends = [nets.value("x", ["n", 3, 33, 33])], [nets.value("y", ["n", 16])]
    return nets.save(path, nodes, *ends, constants)


def inputs(folder: Path) -> Path:
    """24 calibration inputs of the net."""
    random = np.random.default_rng(8)
    folder.mkdir()
    for at in range(24):
        np.save(folder / f"{at:02}.npy", random.integers(-8, 9, size=(1, 3, 33, 33)).astype(np.float32) / 8)
    return folder


def shown(manifest: dict[str, Any], steps: list[dict[str, Any]]) -> dict[str, Any]:
    """A manifest's data without what is left out, and lists of named things as objects by their names.

    Args:
        steps: those of its plan, which are golden elsewhere; the manifest must have the same.
    """
    data: dict[str, Any] = json.loads(json.dumps(manifest))
    if data["recipe"]["stages"] == steps:
        data["recipe"]["stages"] = "as planned"
    for part in ("partition", "quality", "variants"):
        data[part] = json.loads(VERSION.sub(r"\1 ${version}", json.dumps(data[part])))
    for quality in data["quality"].values():
        for part in ("measurements", "verdicts"):
            quality[part] = _named(quality[part], "metric")
    data["order of variants"] = [one["name"] for one in data["variants"]]
    data["variants"] = _named(data["variants"], "name")
    data["target"]["runtime"] = _named(data["target"]["runtime"], "name")
    data["files"] = _named(data["files"], "path")
    runtime = {path for path, one in data["files"].items() if one["role"] == "runtime"}
    name = data["target"].get("face", "")
    ours = {f"{RUNTIME}/{path}" for path in face.files()} if (face := faces.find(name)) else set()
    if ours and ours <= runtime:
        data["files"] = {path: one for path, one in data["files"].items() if path not in ours}
        data["files"][f"{RUNTIME}/"] = f"edgekit's own sources of {name}"
    return _without(data, [*LEFT_OUT, *(LEFT_OUT_OF_LLMS if data["model"]["kind"] == "llm" else ())])


def _named(listed: list[dict[str, Any]], key: str) -> dict[str, Any]:
    """A list of objects as one object by their names: one more shifts no other."""
    named = {one[key]: {name: value for name, value in one.items() if name != key} for one in listed}
    assert len(named) == len(listed)
    return named


def _without(data: Any, patterns: Sequence[str], at: str = "") -> Any:
    """The data with "-" for each value whose path one of the patterns fits."""
    if isinstance(data, dict):
        return {key: _without(value, patterns, f"{at}.{key}" if at else key) for key, value in data.items()}
    return "-" if any(fnmatchcase(at, pattern) for pattern in patterns) else data


def drafted(folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Target -> case -> the draft of its manifest. The source stands for the model that would be built from it."""
    opened = open_source(str(net(folder / "small net.onnx")))
    built = folder / "built"
    built.mkdir()
    net(built / "model.onnx")
    (built / "chat_template.jinja").write_text("{{ messages }}")
    llm = replace(opened, ref="llama", form="hf", path=folder, model=plans.llama(134_515_008))
    return {
        name: {"net": _draft(opened, target.load(name), built), "llm": _draft(llm, target.load(name), built)}
        for name in target.names()
    }


def _draft(source: Source, into: Target, built: Path) -> dict[str, Any]:
    calibration = CALIBRATION if source.model.kind == "tensor" else None
    planned = plan.make(source.model, into, calibration=calibration)
    if source.model.kind == "tensor" and into.tensor.static_shapes:
        source = replace(source, model=static.pinned(source.model))
    models = {one.name: built for one in planned.variants}
    made = draft.draft(planned, source, into, models, {}, calibration, {"onnx": "1.2.3"})
    quality = Quality(verdict="not-measured", mode="off", notes=("not yet compared with the source",))
    return shown(jsonable(Manifest(**dict(made), quality={planned.main.name: quality})), jsonable(planned)["steps"])


def built(folder: Path, names: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """Target -> case -> the manifest of a bundle that `edgekit build` made: a net of all targets, and an llm.

    Language models for the HTP are left to tests/olive/test_static_llm.py: their chain takes minutes.
    """
    from tests.olive import tiny_llm

    portable = [name for name in names if target.load(name).llm.ep != "qnn"]
    data = inputs(folder / "inputs")
    found: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in names}
    sources = {"net": net(folder / "small net.onnx"), "llm": tiny_llm.llama(folder / "tiny")}
    options = {"net": ("--calibration", str(data), "--quality", "fast"), "llm": ("--quality", "off")}
    for case, into in (("net", names), ("llm", portable)):
        words = [word for name in into for word in ("--target", name)]
        command = ["build", str(sources[case]), *words, *options[case], "-o", str(folder / case)]
        plans_made = _edgekit(*command, "--dry-run")["plans"]
        for name, planned, bundle in zip(into, plans_made, _edgekit(*command)["bundles"], strict=True):
            manifest = json.loads((Path(bundle["path"]) / "edgekit.json").read_text(encoding="utf-8"))
            found[name][case] = shown(manifest, planned["steps"])
    return found


def _edgekit(*words: str) -> dict[str, Any]:
    """The data of a command's JSON document; it must not fail."""
    command = [sys.executable, "-m", "edgekit", *words, "--json"]
    quick = {**os.environ, "EDGEKIT_EFFORT": "quick"}  # a machine's own choice is no golden one
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=quick)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-3000:])
    data: dict[str, Any] = json.loads(done.stdout)["data"]
    return data


def files(made: Mapping[str, Mapping[str, dict[str, Any]]], folder: str) -> dict[str, str]:
    """The text of each golden file by its name below tests/golden/."""
    base = made[BASE]
    return {
        f"{folder}/{name}.json": text(
            dict(cases) if name == BASE else {case: like(data, base[case], BASE) for case, data in cases.items()}
        )
        for name, cases in made.items()
    }
