"""What a tokenizer puts before a plain text: its begin token, where it has that added.

GenAI puts nothing there, whatever the tokenizer's files say, so the runtimes do. Some classes of transformers write the
step anew from add_bos_token; of the others, tokenizer.json's post-processor says it. Source: transformers 4.57.6,
update_post_processor of models/*/tokenization_*_fast.py, and models/auto/tokenization_auto.py for the families.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]
# The classes that go by add_bos_token, and what they take it for where it is silent.
BY_SETTING = {
    "LlamaTokenizer": True,
    "CodeLlamaTokenizer": True,
    "GemmaTokenizer": True,
    "CohereTokenizer": True,
    "GPTNeoXTokenizer": False,
}
# model_type -> the class, where tokenizer_config.json names none.
FAMILIES = {
    **dict.fromkeys(("llama", "mistral", "ministral", "mixtral", "phi3", "phimoe"), "LlamaTokenizer"),
    **dict.fromkeys(("gemma", "gemma2", "gemma3_text"), "GemmaTokenizer"),
    **dict.fromkeys(("cohere", "cohere2"), "CohereTokenizer"),
    **dict.fromkeys(("gpt_neox", "olmo", "olmo2", "stablelm"), "GPTNeoXTokenizer"),
}


def prefix_ids(config: Json, settings: Json, tokenizer: Json, ids: Mapping[str, int]) -> tuple[int, ...]:
    """The ids before every plain text.

    Args:
        config: config.json.
        settings: tokenizer_config.json.
        tokenizer: tokenizer.json, empty where there is none.
        ids: of its tokens.
    """
    named = settings.get("tokenizer_class") or FAMILIES.get(str(config.get("model_type")), "")
    by_default = BY_SETTING.get(str(named).removesuffix("Fast"))
    if by_default is None:
        return _by_template(tokenizer.get("post_processor"))
    stated = settings.get("add_bos_token")
    if not (by_default if stated is None else stated):
        return ()
    begin = settings.get("bos_token")
    text = begin.get("content") if isinstance(begin, dict) else begin
    begin_id = ids.get(str(text), config.get("bos_token_id"))
    return (begin_id,) if type(begin_id) is int and begin_id >= 0 else ()


def _by_template(step: Any) -> tuple[int, ...]:
    """What a TemplateProcessing, alone or the first of a Sequence, puts before its text."""
    if not isinstance(step, dict):
        return ()
    for part in [step, *(step.get("processors") or [])]:
        if isinstance(part, dict) and part.get("type") == "TemplateProcessing":
            return _before_text(part)
    return ()


def _before_text(template: Json) -> tuple[int, ...]:
    before: list[int] = []
    for piece in template.get("single") or []:
        if "SpecialToken" not in piece:
            break
        before += template["special_tokens"][piece["SpecialToken"]["id"]]["ids"]
    return tuple(before)
