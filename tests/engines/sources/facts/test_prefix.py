"""What is put before a plain text: transformers puts the same there, whoever wrote the tokenizer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edgekit.sources.facts.prefix import prefix_ids
from tests.engines.wrappers.small_models import END, SPECIALS, write_llm

pytestmark = pytest.mark.olive

USER = END - 2


def template(*before: int) -> dict[str, Any]:
    """A post-processor that puts these of the added tokens before a text."""
    names = {at: SPECIALS[at - USER] for at in before}
    special = [{"SpecialToken": {"id": names[at], "type_id": 0}} for at in before]
    first, second = ({"Sequence": {"id": name, "type_id": n}} for n, name in enumerate("AB"))
    return {
        "type": "TemplateProcessing",
        "single": [*special, first],
        "pair": [*special, first, second],
        "special_tokens": {name: {"id": name, "ids": [at], "tokens": [name]} for at, name in names.items()},
    }


FLAGS = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
ADDED = {"__type": "AddedToken", "content": SPECIALS[-1], **FLAGS}
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
LLAMA3 = {"type": "Sequence", "processors": [BYTES, template(END)]}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any] | None, str, tuple[int, ...]]] = {
    # name: tokenizer_config.json, post_processor, model_type, ids before a text
    "Llama 2 as it was published": (
        {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True},
        None,
        "llama",
        (END,),
    ),
    "Llama 2 of an old save": ({"tokenizer_class": "LlamaTokenizer"}, None, "llama", (END,)),
    "Phi-3, told not to": ({"tokenizer_class": "LlamaTokenizer", "add_bos_token": False}, template(END), "phi3", ()),
    "Mistral without a class": ({}, None, "mistral", (END,)),
    "Llama 3": ({"tokenizer_class": "PreTrainedTokenizerFast"}, LLAMA3, "llama", (END,)),
    "a setting that its class ignores": (
        {"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": True},
        None,
        "llama",
        (),
    ),
    "Gemma": ({"tokenizer_class": "GemmaTokenizer", "bos_token": ADDED}, None, "gemma2", (END,)),
    "OLMo": ({"tokenizer_class": "GPTNeoXTokenizerFast"}, template(END), "olmo2", ()),
    "OPT": ({"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True}, template(END), "opt", (END,)),
    "Qwen": ({"tokenizer_class": "Qwen2Tokenizer"}, BYTES, "qwen2", ()),
    "ChatGLM, two tokens": ({"tokenizer_class": "PreTrainedTokenizerFast"}, template(USER, END), "glm", (USER, END)),
}


@pytest.mark.parametrize("name", CASES)
def test_transformers_puts_the_same_before_a_text(name: str, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    changes, step, kind, wanted = CASES[name]
    write_llm(tmp_path)
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    settings = {key: value for key, value in settings.items() if key not in ("tokenizer_class", "add_bos_token")}
    settings |= changes
    document: Mapping[str, Any] = json.loads((tmp_path / "tokenizer.json").read_text()) | {"post_processor": step}
    config = {"model_type": kind, "bos_token_id": 3}  # which is not what the tokenizer calls so
    for file, data in (("tokenizer.json", document), ("tokenizer_config.json", settings), ("config.json", config)):
        (tmp_path / file).write_text(json.dumps(data))
    ids = {token["content"]: token["id"] for token in document["added_tokens"]} | document["model"]["vocab"]
    assert prefix_ids(config, settings, document, ids) == wanted
    theirs: Any = AutoTokenizer.from_pretrained(tmp_path)
    plain = theirs("the", add_special_tokens=False)["input_ids"]
    assert theirs("the")["input_ids"] == [*wanted, *plain]
