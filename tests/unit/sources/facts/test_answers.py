"""How models answer, found in the files of their folders as families publish them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.model import Answers, Sampling, Thinking
from edgekit.sources.facts import answers
from tests.engines.wrappers.families import HERMES, LLAMA3, PHI4_MINI, QWEN

pytestmark = pytest.mark.unit
IDS = {"<think>": 7, "</think>": 8, "<tool_call>": 9, "</tool_call>": 10, "<|tool_call|>": 11, "<|/tool_call|>": 12}
PLAIN = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


def read(folder: Path, template: str, ids: dict[str, int], **generation: Any) -> Answers | None:
    """With every token whose mark is of `<|...|>` a special one."""
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}), encoding="utf-8")
    return answers.read(folder, ids, frozenset(mark for mark in ids if mark.startswith("<|")), generation)


@pytest.mark.parametrize(
    ("template", "form", "marks", "special"),
    [
        (PHI4_MINI, "phi-4-mini", {"<|tool_call|>": 11, "<|/tool_call|>": 12}, ("<|tool_call|>", "<|/tool_call|>")),
        (HERMES, "hermes", {"<tool_call>": 9, "</tool_call>": 10}, ()),
        (LLAMA3, "llama", {}, ()),
        ("{% if tools %}{{ tools | tojson }}{% endif %}" + PLAIN, "json", {}, ()),
    ],
)
def test_the_form_of_calls_is_its_family_s(
    tmp_path: Path, template: str, form: str, marks: dict[str, int], special: tuple[str, ...]
) -> None:
    ids = {mark: token for mark, token in IDS.items() if "think" not in mark}
    assert read(tmp_path, template, ids) == Answers(marks=marks, special=special, calls=form)  # type: ignore[arg-type]


def test_thoughts_are_cut_by_tokens_or_by_words(tmp_path: Path) -> None:
    known = read(tmp_path, QWEN, IDS)
    assert known is not None and known.thinking == Thinking(begin="<think>", end="</think>", switch="enable_thinking")
    assert known.marks["<think>"] == 7 and known.marks["</think>"] == 8
    words = read(tmp_path, PLAIN + "<think>\n{# </think> #}", {})
    assert words == Answers(thinking=Thinking(begin="<think>", end="</think>"))
    assert read(tmp_path, PLAIN, {}) is None and read(tmp_path, PLAIN, {"<think>": 7}) is None


def test_sampling_is_what_transformers_would_do(tmp_path: Path) -> None:
    stated = {"temperature": 0.8, "top_k": 50, "top_p": 0.95, "max_new_tokens": 4096}
    drawn = read(tmp_path, PLAIN, {}, do_sample=True, **stated)
    assert drawn is not None and drawn.sampling == Sampling(**stated)
    greedy = read(tmp_path, PLAIN, {}, **stated, repetition_penalty=1.1)  # without do_sample it draws nothing
    assert greedy is not None and greedy.sampling == Sampling(repetition_penalty=1.1, max_new_tokens=4096)
    bare = read(tmp_path, PLAIN, {}, do_sample=True, top_k=0, top_p=7, temperature="hot")  # no values at all
    assert bare is not None and bare.sampling == Sampling(temperature=1.0)
    assert read(tmp_path, PLAIN, {}, do_sample=False, temperature=0.8, repetition_penalty=1.0) is None
