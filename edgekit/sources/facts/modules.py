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
TEXTS = "sentence_bert_config.json"  # of the net: how texts are cut and spelled before its tokenizer
NET = "Transformer"
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
        kind = _kind(module)
        path = _inside(folder, str(module.get("path", "")))
        if kind == NET:
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


def net(folder: Path) -> Path:
    """The folder of the net: the folder itself, or as sentence-transformers before version 1 wrote it, 0_Transformer.

    What modules.json says wrongly is not said here; `steps` refuses it.
    """
    try:
        places = [_inside(folder, str(module.get("path", ""))) for module in _listed(folder) if _kind(module) == NET]
    except SourceError:
        return folder
    return places[0] if len(places) == 1 and (places[0] / "config.json").is_file() else folder


def flat(folder: Path) -> list[dict[str, Any]]:
    """What modules.json would say with the net's files beside it."""
    return [{**module, "path": ""} if _kind(module) == NET else module for module in _listed(folder)]


def max_tokens(folder: Path) -> int | None:
    """The tokens at which sentence-transformers cuts a text; None where it does not say."""
    path = folder / TEXTS
    stated = read_json(path).get("max_seq_length") if path.is_file() else None
    return stated if type(stated) is int and stated > 0 else None


def lower_cases(folder: Path) -> bool:
    """Whether sentence-transformers makes a text lower case before the tokenizer sees it."""
    path = folder / TEXTS
    return path.is_file() and read_json(path).get("do_lower_case") is True


def _kind(module: dict[str, Any]) -> str:
    return str(module.get("type", "")).rpartition(".")[2]


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
