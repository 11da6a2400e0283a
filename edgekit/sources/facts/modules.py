"""What a sentence-transformers folder does behind its net: pooling, dense layers, normalization; as data.

Sources: sentence_transformers/models/{Pooling,Dense,Normalize}.py and base/model.py (modules.json), version 5.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from edgekit.errors import SourceError
from edgekit.sources.facts import safetensors
from edgekit.sources.facts.files import AGAIN, read_json

MODULES = "modules.json"
PROMPTS = "config_sentence_transformers.json"
POOLINGS = {  # key of config.json in version 4 -> name in version 5
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}  # in the order in which they are joined
ACTIVATIONS = {"Identity": "Identity", "Tanh": "Tanh", "ReLU": "Relu", "Sigmoid": "Sigmoid", "GELU": "Gelu"}
Step = dict[str, Any]


def steps(folder: Path) -> tuple[list[Step], str]:
    """What turns the net's token vectors into one vector for each text, in order; or why that is not known.

    Each is {"kind": "pooling", "modes"}, {"kind": "dense", "weights": path below the folder, "activation"} or
    {"kind": "normalize"}; none and no reason where the folder has no modules.json.

    Raises:
        SourceError: a file of it is broken, or lies outside.
    """
    made: list[Step] = []
    for module in _listed(folder):
        kind = str(module.get("type", "")).rpartition(".")[2]
        path = _inside(folder, str(module.get("path", "")))
        if kind == "Transformer":
            if path != folder:
                return [], f"its net lies in {path.name}, not beside {MODULES}"
            continue
        step = READERS.get(kind)
        said = step(folder, path) if step else f"the module {kind or '?'} ({path.name}) is not known"
        if isinstance(said, str):
            return [], said
        made.append(said)
    if made and made[0]["kind"] != "pooling":
        return [], f"its first module is a {made[0]['kind']}, not a pooling"
    return made, ""


def prompts(folder: Path) -> dict[str, str]:
    """What is put before a text, by what the text is for ("query", "passage"); empty prompts are left out."""
    path = folder / PROMPTS
    stated = read_json(path).get("prompts") if path.is_file() else None
    return {str(name): text for name, text in stated.items() if text} if isinstance(stated, dict) else {}


def _listed(folder: Path) -> list[dict[str, Any]]:
    path = folder / MODULES
    if not path.is_file():
        return []
    try:
        modules = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        raise SourceError(f"{MODULES} is not readable JSON", next=AGAIN) from None
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        raise SourceError(f"{MODULES} is no list of modules", next=AGAIN)
    return modules


def _inside(folder: Path, path: str) -> Path:
    where = PurePosixPath(path)
    if where.is_absolute() or ".." in where.parts or "\\" in path:
        raise SourceError(f"{MODULES} names a folder outside: {path[:80]!r}", next="do not use this model")
    return folder / where if path else folder


def _pooling(folder: Path, path: Path) -> Step | str:
    config = read_json(path / "config.json")
    stated = config.get("pooling_mode")
    modes = [stated] if isinstance(stated, str) else list(stated or ())
    modes = modes or [name for key, name in POOLINGS.items() if config.get(key)]
    if not modes or any(mode not in POOLINGS.values() for mode in modes):
        return f"the pooling of {path.name} is not known ({', '.join(map(str, modes)) or 'none is named'})"
    return {"kind": "pooling", "modes": modes}


def _dense(folder: Path, path: Path) -> Step | str:
    config = read_json(path / "config.json")
    activation = str(config.get("activation_function", "Tanh")).rpartition(".")[2]
    weights = path / safetensors.SINGLE
    if activation not in ACTIVATIONS:
        return f"the activation {activation} of {path.name} is not known"
    if not weights.is_file():
        return f"the weights of {path.name} are no safetensors file"
    if config.get("bias", True) and "linear.bias" not in safetensors.read_header(weights):
        return f"{path.name} lacks the bias that its configuration promises"
    place = weights.relative_to(folder).as_posix()
    return {"kind": "dense", "weights": place, "activation": ACTIVATIONS[activation]}


def _normalize(folder: Path, path: Path) -> Step | str:
    return {"kind": "normalize"}


READERS = {"Pooling": _pooling, "Dense": _dense, "Normalize": _normalize}
