"""Windows of attention: what transformers makes of a decoder's config.json, where GenAI's graph builder makes another.

The builder (0.14.1) gives every layer the window that a configuration names, whatever its class knows of windows and
whatever `layer_types` says; Gemma 3 and SmolLM3 alone have layers of two kinds. Looked up in transformers 4.57's
configuration_*.py and modeling_*.py.
"""

from __future__ import annotations

from typing import Any

from edgekit.errors import SourceError

Json = dict[str, Any]
WITHOUT = ("llama", "gemma", "granite", "nemotron", "phi", "ernie4_5", "hunyuan_v1_dense")  # have no window at all
ALIKE = ("mistral",)  # every layer has the window, whatever layer_types says
BY_LAYER = ("qwen2", "qwen3")
FIRST = 28  # max_window_layers of a Qwen configuration that does not say
PATTERN = 6  # every so many layers of Gemma 3 look at everything
LOCAL, NEXT = "sliding_attention", "take a model whose layers are alike"


def as_run(config: Json, lines: list[str]) -> Json:
    """A configuration whose windows are the same to both, and a line for what was changed.

    Raises:
        SourceError: the builder has no words for its windows, or they contradict its class.
    """
    kind, window, context = (config.get(key) for key in ("model_type", "sliding_window", "max_position_embeddings"))
    if type(window) is not int or type(context) is not int or not 0 < window < context:
        return config
    named = str((config.get("architectures") or [kind])[0])
    stated = config.get("layer_types")
    types = [str(each) for each in stated] if isinstance(stated, list) else []
    what = f"config.json gives {types.count(LOCAL)} of {len(types)} layers a window of {window} tokens"
    if kind in WITHOUT and LOCAL not in types:
        lines.append(f"config.json: sliding_window {window} read as none: {named} has no window")
        return {**config, "sliding_window": None}
    if kind in WITHOUT or (kind in ALIKE and types and set(types) != {LOCAL}):
        raise SourceError(
            f"{what}, which {named} has not: transformers passes over layer_types, GenAI's graph builder too",
            next="correct config.json: remove what is left of another model, or name the class that it was trained as",
        )
    if kind in BY_LAYER and config.get("use_sliding_window"):
        return _by_layer(config, types, lines)
    pattern = [bool(at % PATTERN) for at in range(1, len(types) + 1)]
    if kind == "gemma3_text" and types and [name == LOCAL for name in types] != pattern:
        raise SourceError(f"{what}, and GenAI's graph builder knows Gemma 3's own pattern alone", next=NEXT)
    return config


def _by_layer(config: Json, types: list[str], lines: list[str]) -> Json:
    """Qwen: the first max_window_layers look at everything, the others have the window."""
    count, first = config.get("num_hidden_layers"), config.get("max_window_layers", FIRST)
    if not types and type(count) is int and type(first) is int:
        types = ["full_attention" if at < first else LOCAL for at in range(count)]
    local = types.count(LOCAL)
    if not local:
        lines.append(f"config.json: sliding_window {config['sliding_window']} read as none: no layer has it")
        return {**config, "use_sliding_window": False}
    if local < len(types):
        raise SourceError(
            f"config.json gives {local} of {len(types)} layers a window of {config['sliding_window']} tokens, and "
            "GenAI's graph builder gives it to every layer",
            next=NEXT,
        )
    return config
