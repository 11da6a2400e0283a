"""What a sentence-transformers folder does behind its net: pooling, dense layers, normalization; as data.

Sources: sentence_transformers/models/{Pooling,Dense,Normalize}.py and base/model.py (modules.json), versions 5 and 6.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from edgekit.errors import SourceError
from edgekit.model import Tensor
from edgekit.sources.facts import safetensors
from edgekit.sources.facts.files import AGAIN, optional_json, read_json

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
# Keys of a dense layer that are read; of its ends only what stands behind a pooling.
DENSE = {"in_features", "out_features", "bias", "activation_function", "module_input_name", "module_output_name"}
VECTOR = "sentence_embedding"
POOLED = "feature-extraction"  # the task whose token vectors sentence-transformers pools
UNCUT = 100_000  # what a tokenizer says it takes at most is no limit from here on
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


def asked(folder: Path, task: str, *, token_vectors: bool) -> tuple[list[Step], str]:
    """The steps that an export for a task takes in, and what of modules.json it leaves out; "" for nothing.

    Args:
        token_vectors: the user wants these, whatever follows.

    Raises:
        SourceError: as `steps`.
    """
    if task == POOLED:
        made, why = steps(folder) if not token_vectors else ([], "")
        return made, f"{why}; the graph ends at the token vectors" if why else ""
    behind = [kind for kind in map(_kind, _listed(folder)) if kind != NET]
    return (
        [],
        f"{', '.join(behind)}: not built for the task {task}; the graph ends at the net's answer" if behind else "",
    )


def net(folder: Path) -> Path:
    """The folder of the net: the folder itself, or as sentence-transformers before version 1 wrote it, 0_Transformer.

    What modules.json says wrongly is not said here; `steps` refuses it.
    """
    try:
        places = [_inside(folder, str(module.get("path", ""))) for module in _listed(folder) if _kind(module) == NET]
    except SourceError:
        return folder
    return places[0] if len(places) == 1 and (places[0] / "config.json").is_file() else folder


def netless(folder: Path) -> SourceError | None:
    """What a folder of modules without a net is; None where there is a net, or no modules."""
    try:
        kinds = [_kind(module) for module in _listed(folder)]
    except SourceError:
        return None
    if not kinds or NET in kinds:
        return None
    return SourceError(
        f"{folder.absolute().name} holds no net: {MODULES} begins with {kinds[0][:40] or 'a module of no type'}",
        next="export what it does with torch.onnx.export (a StaticEmbedding: torch.nn.EmbeddingBag of its table), and "
        "give that model.onnx",
    )


def flat(folder: Path) -> list[dict[str, Any]]:
    """What modules.json would say with the net's files beside it."""
    return [{**module, "path": ""} if _kind(module) == NET else module for module in _listed(folder)]


def max_tokens(folder: Path) -> int | None:
    """The tokens at which sentence-transformers cuts a text; None where it does not say."""
    if not (folder / TEXTS).is_file():
        return None
    stated = read_json(folder / TEXTS).get("max_seq_length")
    if stated is None:  # since version 6 the tokenizer says it
        stated = optional_json(folder / "tokenizer_config.json").get("model_max_length")
    return stated if type(stated) is int and 0 < stated < UNCUT else None


def lower_cases(folder: Path) -> bool:
    """Whether sentence-transformers makes a text lower case before the tokenizer sees it."""
    path = folder / TEXTS
    return path.is_file() and read_json(path).get("do_lower_case") is True


def _kind(module: dict[str, Any]) -> str:
    return str(module.get("type", "")).rpartition(".")[2]


def remarks(folder: Path) -> tuple[str, ...]:
    """What sentence-transformers does before the net and after its last module, a line each: it is the app's to do."""
    config = optional_json(folder / PROMPTS)
    default, cut = config.get("default_prompt_name"), config.get("truncate_dim")
    lines = [f"do_lower_case of {TEXTS}: the app makes a text lower case before it gives it"] * lower_cases(folder)
    lines += [
        f"the prompt {name!r} of {PROMPTS}: the app puts {text[:60]!r} before "
        + ("every text that it gives no other one" if name == default else "the text")
        for name, text in sorted(prompts(folder).items())
    ]
    if type(cut) is int:
        lines.append(f"truncate_dim of {PROMPTS}: the app takes the first {cut} values of a vector alone")
    before = optional_json(folder / "config.json").get("sentence_transformers")  # where versions 4 and 5 wrote it
    for name, stated in ((PROMPTS, config), ("config.json", before if isinstance(before, dict) else {})):
        activation = str(stated.get("activation_fn") or "Identity").rpartition(".")[2]
        if activation != "Identity":
            lines.append(f"activation_fn of {name}: the app makes a score of what the net answers ({activation[:40]})")
    return tuple(lines)


def beside_graph(folder: Path, outputs: Sequence[Tensor]) -> tuple[str, ...]:
    """What the modules beside an .onnx file do that its graph does not, a line each; none where there are no modules.

    Raises:
        SourceError: modules.json is broken.
    """
    behind = ", ".join(kind for kind in map(_kind, _listed(folder)) if kind != NET)
    if not behind or any(tensor.name == VECTOR for tensor in outputs):  # as optimum exports them, modules and all
        return remarks(folder)
    vectors = all(len(tensor.shape) == 3 for tensor in outputs)  # one for each token
    what = "not in the graph, which ends at the token vectors" if vectors else "what of it is not in the graph"
    return (f"{MODULES}: {behind}: {what}{', what follows' if vectors else ''} is the app's", *remarks(folder))


def prompts(folder: Path) -> dict[str, str]:
    """What is put before a text, by what the text is for ("query", "passage"); empty prompts are left out."""
    stated = optional_json(folder / PROMPTS).get("prompts")
    return {str(name): str(text) for name, text in stated.items() if text} if isinstance(stated, dict) else {}


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
    if config.get("include_prompt") is False and prompts(folder):
        return f"the pooling of {path.name} leaves the prompt's own tokens out"
    return {"kind": "pooling", "modes": modes}


def _dense(folder: Path, path: Path) -> Step | str:
    config = read_json(path / "config.json")
    activation = str(config.get("activation_function", "Tanh")).rpartition(".")[2]
    weights = path / safetensors.SINGLE
    ends = {str(config.get(f"module_{end}_name", VECTOR)) for end in ("input", "output")}
    if other := sorted({key for key, value in config.items() if key not in DENSE and value} | (ends - {VECTOR})):
        return f"{other[0][:40]} of {path.name} is not known"
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
