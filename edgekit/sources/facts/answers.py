"""How a language model answers, out of its folder's files: thoughts, function calls, its publisher's sampling."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.model import Answers, Form, Sampling, Thinking
from edgekit.wrappers.python.chat import template_of

THOUGHTS = (("<think>", "</think>"), ("[THINK]", "[/THINK]"))
SWITCHES = ("enable_thinking", "thinking")  # variables of templates that leave out thoughts
# A family's form of calls, by what stands in its chat template; the first that fits.
FORMS: tuple[tuple[Form, str], ...] = (
    ("phi-4-mini", r"<\|tool_call\|>|<\|tool\|>"),
    ("hermes", r"<tool_call>"),
    ("llama", r"<\|python_tag\|>|\bipython\b"),
    ("json", r"\btools\b"),
)
MARKS = {
    "phi-4-mini": ("<|tool_call|>", "<|/tool_call|>"),
    "hermes": ("<tool_call>", "</tool_call>"),
    "llama": ("<|python_tag|>",),
}


def read(
    folder: Path, ids: Mapping[str, int], special: frozenset[str], generation: Mapping[str, Any]
) -> Answers | None:
    """None where nothing is to be said.

    Args:
        ids: of the tokenizer's tokens.
        special: the tokens among them that an engine leaves out of a text.
        generation: generation_config.json.
    """
    template = template_of(folder) or ""
    form = next((form for form, pattern in FORMS if re.search(pattern, template)), None)
    thinking = _thinking(template, ids)
    wanted = (*((thinking.begin, thinking.end) if thinking else ()), *MARKS.get(form or "", ()))
    marks = {mark: ids[mark] for mark in wanted if mark in ids}
    sampling = _sampling(generation)
    if not (form or thinking or sampling):
        return None
    return Answers(
        marks=marks,
        special=tuple(mark for mark in marks if mark in special),
        thinking=thinking,
        calls=form,
        sampling=sampling,
    )


def _thinking(template: str, ids: Mapping[str, int]) -> Thinking | None:
    """Where a vocabulary has both tokens, or a template speaks of them."""
    for begin, end in THOUGHTS:
        if (begin in ids and end in ids) or end in template:
            switch = next((name for name in SWITCHES if re.search(rf"\b{name}\b", template)), None)
            return Thinking(begin=begin, end=end, switch=switch)
    return None


def _sampling(generation: Mapping[str, Any]) -> Sampling | None:
    """What generation_config.json says; without do_sample Transformers answers greedily, whatever else stands there."""
    names = [name for name in Sampling.model_fields if name != "max_new_tokens"]
    stated = {name: generation.get(name) for name in names} if generation.get("do_sample") is True else {}
    stated["repetition_penalty"] = generation.get("repetition_penalty")
    stated["max_new_tokens"] = generation.get("max_new_tokens")
    kept = {name: value for name, value in stated.items() if Sampling.takes(name, value)}
    if generation.get("do_sample") is True:
        kept.setdefault("temperature", 1.0)
    if kept.get("repetition_penalty") == 1.0:
        del kept["repetition_penalty"]
    return Sampling(**kept) if kept else None
