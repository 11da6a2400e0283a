"""What every runtime does alike with tools and thoughts, as conformance.py has it for the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from edgekit.wrappers.python.bundle import open_bundle
from tests.engines.wrappers.families import FAMILIES, HARD
from tests.engines.wrappers.runtimes import InProcess, Result, Runtime
from tests.engines.wrappers.small_bundles import copy
from tests.engines.wrappers.small_models import SPECIALS
from tests.unit.injections import reseal
from tests.unit.wrappers.python.call_cases import CASES

SYSTEM = {"role": "system", "content": "Be [\"kind\"], 'brief' and true]."}
USER = {"role": "user", "content": "Two of [\"a\"], please: {{ 'x' }} {% endfor %} \\n"}
CALL = {"name": "order", "arguments": {"z_items": ["b", "a"], "flag": True, "a_price": 1.5, "n": None, "é": "q\"'\n"}}
CALLED = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": CALL}]}
ANSWER = {"role": "tool", "name": "order", "content": '{"ok": [true], "left": ["a"], "words": "it\'s"}'}
CONVERSATIONS = {
    "one turn": [USER],
    "with a system message": [SYSTEM, USER],
    "called": [SYSTEM, USER, CALLED, ANSWER],
}


def with_template(bundle: Path, to: Path, template: str) -> Path:
    """A copy of a bundle that has another chat template."""
    copy(bundle, to)
    path = to / "model/portable/tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"chat_template": template}
    path.write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
    return reseal(to)


def by_hugging_face(
    template: str, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None, **options: Any
) -> str:
    """Its own prompt. Tools of Phi-4-mini are JSON in the system message, as its card says."""
    if tools and "message['tools']" in template:
        system, *rest = messages if messages[0]["role"] == "system" else [{"role": "system", "content": ""}, *messages]
        listed = json.dumps([tool["function"] for tool in tools], ensure_ascii=False)
        messages, tools = [{**system, "tools": listed}, *rest], None
    special = {"bos_token": SPECIALS[-1], "eos_token": SPECIALS[-1], **options}
    rendered = render_jinja_template(
        conversations=[messages], tools=tools, chat_template=template, add_generation_prompt=True, **special
    )
    return str(rendered[0][0])


def with_answers(bundle: Path, to: Path, template: str | None = None, **answers: Any) -> Path:
    """A copy of a bundle whose contract says how answers read."""
    to = copy(bundle, to) if template is None else with_template(bundle, to, template)
    return reseal(to, lambda manifest: manifest["contract"].update({"answers": answers}))


def said(result: Result) -> list[tuple[str, str]]:
    """Neighbouring pieces of one kind as one."""
    parts: list[tuple[str, str]] = []
    for event in result.events:
        if parts and parts[-1][0] == event["event"]:
            parts[-1] = (event["event"], parts[-1][1] + event["text"])
        elif "text" in event:
            parts.append((event["event"], event["text"]))
    return parts


def cut(opened: Any, tokens: list[int], begin: int, end: int) -> list[tuple[str, str]]:
    """What `said` is of these tokens where two of them begin and end thoughts."""
    runs: list[tuple[str, list[int]]] = [("piece", [])]
    for token in tokens:
        if token in (begin, end):
            runs.append(("thought" if token == begin else "piece", []))
        else:
            runs[-1][1].append(token)
    parts: list[tuple[str, str]] = []
    for at, (kind, run) in enumerate(runs):
        text = opened.decode(run) if run else ""
        text = text.lstrip("\n") if at else text
        text = text.removesuffix("\ufffd") if at == len(runs) - 1 else text
        if text and parts and parts[-1][0] == kind:
            parts[-1] = (kind, parts[-1][1] + text)
        elif text:
            parts.append((kind, text))
    return parts


class Prompts:
    """Prompts with functions, byte for byte as Hugging Face makes them."""

    @pytest.mark.parametrize("family", FAMILIES)
    def test_a_prompt_is_hugging_faces(self, runtime: Runtime, llm_bundle: Path, tmp_path: Path, family: str) -> None:
        template = FAMILIES[family]
        bundle = with_template(llm_bundle, tmp_path / "bundle", template)
        asked = [
            {"messages": messages, "tools": tools}
            for messages in CONVERSATIONS.values()
            for tools in (HARD, HARD[1:], [] if family != "hermes" else HARD[:1])  # Hermes' has no form without tools
        ]
        prompts = runtime.act("render", bundle, conversations=asked).outcome["prompts"]
        for conversation, prompt in zip(asked, prompts, strict=True):
            assert prompt == by_hugging_face(template, conversation["messages"], conversation["tools"] or None)
        assert HARD[0]["function"]["name"] in prompts[0]

    def test_functions_in_a_message_arrive_whole(self, runtime: Runtime, llm_bundle: Path, tmp_path: Path) -> None:
        """As Phi-4-mini's card has it: an app puts them into the system message by itself."""
        bundle = with_template(llm_bundle, tmp_path / "bundle", FAMILIES["phi-4-mini"])
        messages = [{**SYSTEM, "tools": '[{"enum": ["a", "b"], "last": true}]'}, USER]
        prompts = runtime.act("render", bundle, conversations=[{"messages": messages, "tools": []}]).outcome["prompts"]
        assert prompts == [by_hugging_face(FAMILIES["phi-4-mini"], messages, None)]

    def test_a_zero_byte_is_refused(self, runtime: Runtime, llm_bundle: Path, tmp_path: Path) -> None:
        bundle = with_template(llm_bundle, tmp_path / "bundle", FAMILIES["qwen"])
        tool = {"type": "function", "function": {"name": "a\0b", "parameters": {}}}
        for asked in ({"messages": [USER], "tools": [tool]}, {"messages": [{"role": "user", "content": "a\0b"}]}):
            error = runtime.act("render", bundle, conversations=[{"tools": [], **asked}]).error
            assert error["code"] == "usage" and "a text holds a zero byte" in error["message"]

    def test_thoughts_are_left_out_where_the_template_can(
        self, runtime: Runtime, llm_bundle: Path, tmp_path: Path
    ) -> None:
        thinking = {"begin": "<think>", "end": "</think>", "switch": "enable_thinking"}
        bundle = with_answers(llm_bundle, tmp_path / "bundle", FAMILIES["qwen"], thinking=thinking)
        asked = [{"messages": [USER], "tools": tools, "think": False} for tools in ([], HARD)]
        prompts = runtime.act("render", bundle, conversations=asked).outcome["prompts"]
        for conversation, prompt in zip(asked, prompts, strict=True):
            tools = conversation["tools"] or None
            assert prompt == by_hugging_face(FAMILIES["qwen"], [USER], tools, enable_thinking=False)
        error = runtime.act("render", llm_bundle, conversations=[asked[0] | {"tools": []}]).error
        assert error["code"] == "usage" and "no way to leave out thoughts" in error["message"]


class Sampled:
    """Thoughts are cut by tokens or by words; answers are drawn as the contract states."""

    REQUEST: ClassVar[dict[str, Any]] = {"prompt": "the café and", "max_tokens": 24}

    def test_thoughts_are_cut_by_tokens(self, runtime: Runtime, llm_bundle: Path, tmp_path: Path) -> None:
        opened = open_bundle(str(llm_bundle))
        whole = opened.generate(self.REQUEST["prompt"], max_tokens=24)
        assert "".join(whole)
        pairs = [(first, other) for first in whole.tokens for other in whole.tokens if first != other]
        cuts = {pair: cut(opened, whole.tokens, *pair) for pair in pairs}
        (begin, end), expected = max(cuts.items(), key=lambda first: len(first[1]))
        assert {kind for kind, _ in expected} == {"piece", "thought"}
        thinking = {"begin": "<think>", "end": "</think>"}
        bundle = with_answers(
            llm_bundle, tmp_path / "bundle", marks={"<think>": begin, "</think>": end}, thinking=thinking
        )
        assert said(runtime.act("generate", bundle, **self.REQUEST)) == expected

    def test_thoughts_are_cut_by_words(self, runtime: Runtime, llm_bundle: Path, tmp_path: Path) -> None:
        text = "".join(event["text"] for event in InProcess().act("generate", llm_bundle, **self.REQUEST).events)
        begin, end = text[4:6], text[9:11]
        bundle = with_answers(llm_bundle, tmp_path / "bundle", thinking={"begin": begin, "end": end})
        parts = said(runtime.act("generate", bundle, **self.REQUEST))
        assert parts[0] == ("piece", text[:4]) and parts[1] == ("thought", text[6:9].lstrip("\n"))
        opened = {**self.REQUEST, "prompt": f"the {begin}\n"}  # the prompt begins the thought
        assert said(runtime.act("generate", bundle, **opened))[0][0] == "thought"

    def test_answers_are_drawn_as_stated(self, runtime: Runtime, llm_bundle: Path, tmp_path: Path) -> None:
        greedy = said(runtime.act("generate", llm_bundle, **self.REQUEST))
        stated = {"temperature": 1.5, "top_k": 40, "top_p": 0.95, "repetition_penalty": 1.2, "max_new_tokens": 24}
        bundle = with_answers(llm_bundle, tmp_path / "drawn", sampling=stated)
        request = {"prompt": self.REQUEST["prompt"], "seed": 5}
        drawn = runtime.act("generate", bundle, **request)
        assert said(drawn) != greedy and drawn.outcome["tokens"] == 24
        assert said(drawn) == said(InProcess().act("generate", bundle, **request))
        asked = {**request, "temperature": 0.0, "repetition_penalty": 1.0, "max_tokens": 24}
        assert said(runtime.act("generate", bundle, **asked)) == greedy
        best = {**request, "min_p": 1.0, "repetition_penalty": 1.0, "top_k": 1000, "max_tokens": 24}
        assert said(runtime.act("generate", bundle, **best)) == greedy  # nothing is as likely as the best


class Calls:
    """Calls in the forms of families: guided, found, and told again with what the function said."""

    TOOL: ClassVar[dict[str, Any]] = {
        "type": "function",
        "function": {
            "name": "lamp",
            "description": "Switches a lamp.",
            "parameters": {
                "type": "object",
                "properties": {"on": {"type": "boolean"}, "rooms": {"type": "array", "items": {"enum": ["attic"]}}},
                "required": ["on", "rooms"],
            },
        },
    }
    FORMS: ClassVar = {"phi-4-mini": "phi-4-mini", "qwen": "hermes", "llama-3": "llama"}

    def test_calls_are_read_alike(self, runtime: Runtime, llm_bundle: Path) -> None:
        answers = [{"form": form, "text": text} for form, text, _ in CASES]
        read = runtime.act("calls", llm_bundle, answers=answers).outcome["calls"]
        assert read == [calls for _, _, calls in CASES]

    @pytest.mark.parametrize("family", FORMS)
    def test_a_call_and_its_answer(self, runtime: Runtime, calling_bundle: Path, tmp_path: Path, family: str) -> None:
        bundle = with_answers(calling_bundle, tmp_path / "bundle", FAMILIES[family], calls=self.FORMS[family])
        request = {"messages": [USER], "tools": [self.TOOL], "call": "required", "max_tokens": 300}
        called = runtime.act("generate", bundle, **request)
        assert called.outcome["reason"] == "eos" and not said(called)
        [call] = called.outcome["calls"]
        assert call["name"] == "lamp" and isinstance(call["arguments"]["on"], bool)
        assert called.events == [{"event": "call", **call}]
        turn = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": call}]}
        answers = []
        # So long that they change the mean of all tokens, which is what this model reads.
        for result in ('{"done": true}' + " the" * 400, 'it\'s dark; ["q"]' + "Zz9" * 400):
            messages = [USER, turn, {"role": "tool", "name": "lamp", "content": result}]
            asked = {"messages": messages, "tools": [self.TOOL], "max_tokens": 12}
            answers.append(said(runtime.act("generate", bundle, call="unguided", **asked)))
            [prompt] = runtime.act("render", bundle, conversations=[asked]).outcome["prompts"]
            assert result in prompt.replace('\\"', '"') and '"lamp"' in prompt.partition(USER["content"])[2]
            assert answers[-1] == said(InProcess().act("generate", bundle, call="unguided", **asked))
        assert answers[0] != answers[1]

    def test_text_that_is_no_call_is_shown(self, runtime: Runtime, calling_bundle: Path, tmp_path: Path) -> None:
        bundle = with_answers(calling_bundle, tmp_path / "bundle", FAMILIES["qwen"], calls="hermes")
        request = {"messages": [USER], "tools": [self.TOOL], "max_tokens": 12}
        for call in ("auto", "unguided"):
            answered = runtime.act("generate", bundle, call=call, **request)
            assert not answered.outcome["calls"] and said(answered)
