"""A folder saved by transformers 5, said in the words of the release that is installed here.

transformers 4 passes over the keys that it does not know: without `rope_parameters` it turns every model's theta into
10000, and whatever is compared with it is wrong in the same way. So the new keys are read here, into the old ones, and
what has no old word is refused before anything slow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgekit.errors import SourceError
from edgekit.sources.facts import padding, windows, yarn
from edgekit.sources.facts.files import TOKENIZER_LIMIT, read_json

Json = dict[str, Any]
CONFIG, TOKENIZER = "config.json", "tokenizer_config.json"
ROPE = "rope_parameters"
# Keys of rope_parameters that were keys of the configuration itself.
ABOVE = ("rope_theta", "partial_rotary_factor")
ROPE_KEYS = {
    *ABOVE,
    "rope_type",
    "type",
    "factor",
    "original_max_position_embeddings",
    "attention_factor",
    "beta_fast",
    "beta_slow",
    "short_factor",
    "long_factor",
    "short_mscale",
    "long_mscale",
    "low_freq_factor",
    "high_freq_factor",
    "mscale",
    "mscale_all_dim",
    "truncate",
    "mrope_section",
}
ROPE_TYPES = ("default", "linear", "dynamic", "yarn", "longrope", "llama3")
# model_type -> where the old configuration has the theta of the local layers, and that of the global ones
LOCAL_THETA = {
    "gemma3_text": ("rope_local_base_freq", "rope_theta"),
    "modernbert": ("local_rope_theta", "global_rope_theta"),
    "modernbert-decoder": ("local_rope_theta", "global_rope_theta"),
}
ORIGINAL_ABOVE = ("phi3", "phi4_multimodal")  # have original_max_position_embeddings beside rope_scaling
# Tokenizer classes of transformers 5 that stand for whatever tokenizer.json says.
BACKENDS = ("TokenizersBackend", "SentencePieceBackend", "PythonBackend", "MistralCommonBackend")
FAST = "PreTrainedTokenizerFast"
FLOAT = "the float checkpoint as transformers 4 wrote it, or one whose layers share one rotary embedding"


@dataclass(frozen=True)
class Repairs:
    """What must be written anew.

    Attributes:
        files: the whole content of each changed file, by name.
        lines: what was repaired, a line each.
    """

    files: dict[str, Json]
    lines: tuple[str, ...]


def repairs(folder: Path) -> Repairs:
    """What of a folder's configuration has to be said in older words; empty for a folder that needs nothing.

    Raises:
        SourceError: something that has no older word.
    """
    files: dict[str, Json] = {}
    lines: list[str] = []
    config = read_json(folder / CONFIG)
    changed = _of_others(_config(config, lines), lines)
    if str((config.get("architectures") or [""])[0]).endswith("ForCausalLM"):
        changed = windows.as_run(yarn.in_full(changed, lines), lines)
    changed = padding.filled(folder, changed, lines)
    if changed != config:
        files[CONFIG] = changed
    if (folder / TOKENIZER).is_file():
        settings = read_json(folder / TOKENIZER, TOKENIZER_LIMIT)
        changed = _tokenizer(folder, settings, lines)
        if changed != settings:
            files[TOKENIZER] = changed
    return Repairs(files, tuple(lines))


def _config(config: Json, lines: list[str]) -> Json:
    """A configuration, and those of its parts, without `rope_parameters`."""
    parts = {
        key: _config(value, lines) if isinstance(value, dict) and key.endswith("_config") else value
        for key, value in config.items()
    }
    stated = parts.pop(ROPE, None)
    if stated is None:
        return parts
    if not isinstance(stated, dict):
        raise SourceError(f"config.json: {ROPE} is {str(stated)[:40]!r}, no table", next=f"give {FLOAT}")
    rope, local = _rope_of_layers(stated, parts)
    unknown = sorted(set(rope) - ROPE_KEYS)
    if unknown:
        raise SourceError(f"config.json: {ROPE} has {unknown[0]!r}, which is not known here", next=f"give {FLOAT}")
    kind = str(rope.get("rope_type", rope.get("type", "default")))
    if kind not in ROPE_TYPES:
        raise SourceError(
            f"config.json: the rotary embedding {kind!r} is not known here",
            next=f"give a model of a kind that is known ({', '.join(ROPE_TYPES)}); another word would change the model",
        )
    old: Json = {key: rope[key] for key in ABOVE if rope.get(key) is not None}
    scaling = {key: value for key, value in rope.items() if key not in (*ABOVE, "type", "rope_type")}
    if parts.get("model_type") in ORIGINAL_ABOVE and "original_max_position_embeddings" in scaling:
        old["original_max_position_embeddings"] = scaling.pop("original_max_position_embeddings")
    named = "type" if parts.get("model_type") in ORIGINAL_ABOVE else "rope_type"
    old["rope_scaling"] = {named: kind, **scaling} if kind != "default" or scaling else None
    if local is not None:
        here, everywhere = LOCAL_THETA[str(parts["model_type"])]
        old[here] = local
        old[everywhere] = old.pop("rope_theta", None)
    for key, value in old.items():
        if parts.get(key) not in (None, value):
            raise SourceError(
                f"config.json gives {key} twice: {str(parts[key])[:60]}, and {str(value)[:60]} in {ROPE}",
                next="correct config.json",
            )
    lines.append(f"config.json: {ROPE} (transformers 5) read as {_said(old)}")
    return {**parts, **old}


def _of_others(config: Json, lines: list[str]) -> Json:
    """A decoder's configuration without what its architecture in transformers does not know, and would not run."""
    changed = dict(config)
    scaling = config.get("rope_scaling")
    named = scaling.get("rope_type", scaling.get("type")) if isinstance(scaling, dict) else None
    if named == "mrope":
        changed["rope_scaling"] = None
        lines.append("config.json: rope_scaling mrope read as none: of text all its sections are one")
    knows = config.get("model_type") in ORIGINAL_ABOVE  # LongRoPE by its first name
    if isinstance(scaling, dict) and named == "su" and not knows:
        other = {key: value for key, value in scaling.items() if key not in ("type", "rope_type")}
        changed["rope_scaling"] = {"type": "longrope", "rope_type": "longrope", **other}
        lines.append("config.json: rope_scaling su read as longrope")
    return changed


def _rope_of_layers(stated: Json, config: Json) -> tuple[Json, float | None]:
    """The parameters of all layers, and the theta of those with a local window where it is another.

    transformers 5 writes one table, or one for each type of layer.
    """
    tables = {key: value for key, value in stated.items() if isinstance(value, dict)}
    if not tables:
        return stated, None
    if len(tables) != len(stated):
        raise SourceError(f"config.json: {ROPE} is one table and several", next="correct config.json")
    different = [table for at, table in enumerate(tables.values()) if table not in list(tables.values())[:at]]
    kinds = config.get("model_type")
    if kinds in LOCAL_THETA and set(tables) == {"full_attention", "sliding_attention"}:
        local = tables["sliding_attention"]
        if set(local) <= {"rope_theta", "rope_type"} and local.get("rope_type", "default") == "default":
            theta = local.get("rope_theta")
            if type(theta) in (int, float):
                return tables["full_attention"], float(theta)  # type: ignore[arg-type]
    if len(different) == 1:
        return different[0], None
    raise SourceError(
        f"config.json: {ROPE} differs between types of layers ({', '.join(sorted(tables))}), "
        f"which {kinds or 'this architecture'} has no words for here",
        next=f"give {FLOAT}",
    )


def _said(old: Json) -> str:
    """The new values in a line: rope_theta 500000.0, rope_scaling llama3."""
    parts = []
    for key, value in old.items():
        if isinstance(value, dict):
            value = value.get("rope_type", value.get("type"))
        if value is not None:
            parts.append(f"{key} {value}")
    return ", ".join(parts)


def _tokenizer(folder: Path, settings: Json, lines: list[str]) -> Json:
    """The tokenizer's settings with a class, and keys, that are known here."""
    changed = dict(settings)
    named = settings.get("tokenizer_class")
    own_code = "auto_map" in settings
    if named is not None and not own_code and not _known_tokenizer(str(named)):
        if not (folder / "tokenizer.json").is_file():
            raise SourceError(
                f"the tokenizer is a {str(named)[:60]}, which is not known here, and there is no tokenizer.json",
                next="write it with tokenizer.save_pretrained(FOLDER) in the transformers that saved the model",
            )
        changed["tokenizer_class"] = FAST
        lines.append(f"tokenizer_config.json: {str(named)[:60]} read as {FAST}, what tokenizer.json says")
    # transformers 5 renamed additional_special_tokens (a list) and extra_special_tokens (names and tokens).
    extra = settings.get("extra_special_tokens")
    if isinstance(extra, list):
        del changed["extra_special_tokens"]
        before = settings.get("additional_special_tokens") or []
        changed["additional_special_tokens"] = [*before, *(token for token in extra if token not in before)]
        lines.append("tokenizer_config.json: extra_special_tokens read as additional_special_tokens")
    stated = settings.get("chat_template")
    if isinstance(stated, dict):
        stated = [{"name": key, "template": text} for key, text in stated.items()]
    if isinstance(stated, list):
        changed["chat_template"] = _one_template(stated, lines)
    elif stated is not None and not isinstance(stated, str):
        what = f"tokenizer_config.json: chat_template is {str(stated)[:40]!r}, no text"
        raise SourceError(what, next="write the template there, or in chat_template.jinja")
    by_name = changed.pop("model_specific_special_tokens", None)
    if isinstance(by_name, dict):
        changed["extra_special_tokens"] = by_name
        lines.append("tokenizer_config.json: model_specific_special_tokens read as extra_special_tokens")
    return changed


def _one_template(named: list[Any], lines: list[str]) -> str:
    """Named chat templates as one: that of tools where there are tools, else the default, as transformers chooses.

    Raises:
        SourceError: there is no default.
    """
    texts = {part.get("name"): str(part.get("template", "")) for part in named if isinstance(part, dict)}
    if "default" not in texts:
        raise SourceError(
            "tokenizer_config.json names chat templates, and none is the default",
            next="write the one that is meant as chat_template, a single text",
        )
    default, tools = (
        text if text is None else text.removesuffix("\n") for text in map(texts.get, ("default", "tool_use"))
    )
    lines.append(f"tokenizer_config.json: chat templates {', '.join(map(str, texts))} read as one, chosen by tools")
    return f"{{% if tools %}}{tools}{{% else %}}{default}{{% endif %}}" if tools else str(default)


def _known_tokenizer(name: str) -> bool:
    """True where the installed transformers has this class; its sources are searched, nothing is imported."""
    if name in BACKENDS:
        return False
    spec = find_spec("transformers")
    if spec is None or not spec.submodule_search_locations or name in (FAST, "PreTrainedTokenizer"):
        return True
    table = Path(spec.submodule_search_locations[0]) / "models" / "auto" / "tokenization_auto.py"
    plain = re.escape(name.removesuffix("Fast"))
    return not table.is_file() or re.search(rf'"{plain}(Fast)?"', table.read_text(encoding="utf-8")) is not None
