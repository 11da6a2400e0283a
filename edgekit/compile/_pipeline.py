"""A GenAI pipeline of several graphs: which of them are compiled, and the folder that holds them compiled."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.data import write_atomic

CONFIG = "genai_config.json"
ONLY_IN = ("run_on_prompt", "run_on_token_gen")  # a layer's graph says in which of the two it does not run


def graphs(folder: Path) -> list[str]:
    """The files of the layers' graphs, in the order they run; none where the folder holds no pipeline."""
    return [str(part["filename"]) for part in _parts(_read(folder)).values() if _is_layers(part)]


def complete(model: Path, out: Path, compiled: Sequence[str], ep_options: Mapping[str, str]) -> None:
    """Add to the compiled graphs in `out` what else the folder `model` holds, but for the graphs they stand for.

    In a GenAI folder the compiled graphs get the QNN provider with the options of the variant.
    """
    weights = {name for graph in compiled for name in _weights(model / graph)}
    for path in sorted(model.iterdir()):
        if path.is_file() and path.name not in {*compiled, *weights}:
            shutil.copyfile(path, out / path.name)
    config = _read(model)
    if not config:
        return
    provider = {"qnn": dict(ep_options)}
    for part in _parts(config).values():
        if _is_layers(part):
            part["session_options"] = {"log_id": "onnxruntime-genai", "provider_options": [provider]}
    (out / CONFIG).unlink()
    write_atomic(out / CONFIG, json.dumps(config, indent=4) + "\n")


def _read(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _parts(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    stages = config.get("model", {}).get("decoder", {}).get("pipeline", ())
    return {name: part for stage in stages for name, part in stage.items()}


def _is_layers(part: Mapping[str, Any]) -> bool:
    return any(key in part for key in ONLY_IN)


def _weights(graph: Path) -> set[str]:
    import onnx
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    tensors = onnx.load(str(graph), load_external_data=False).graph.initializer
    return {str(ExternalDataInfo(one).location) for one in tensors if uses_external_data(one)}
