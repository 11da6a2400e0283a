"""What the runtimes do alike with a conversation: caches that are kept, prompts in pieces, ends from another thread.

The class is a base: a test module has an `opens` fixture and a Test... class for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from edgekit.wrappers.python import open_bundle
from edgekit.wrappers.python.llm import LlmBundle
from tests.engines.wrappers.conformance import BORDER, GREEDY
from tests.engines.wrappers.small_models import TOOLS

WHOLE = 1 << 20  # tokens: a piece that every prompt fits into
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"enum": ["Rome"]}}, "required": ["city"]},
    },
}


@dataclass(frozen=True)
class Answered:
    """An answer, all of it; pieces: how much of the prompt was read at each event; calls: (id, name, arguments)."""

    text: str
    reason: str
    prompt_tokens: int
    tokens: int
    reused: int
    loaded: bool
    pieces: tuple[int, ...]
    calls: tuple[tuple[str, str, str], ...] = ()


class Talker(Protocol):
    """An open bundle of either runtime."""

    def answer(self, **request: Any) -> Answered:
        """A request as edgekit.h says it, and everything that is told."""

    def answer_until(self, pieces: int, chars: int, **request: Any) -> Answered:
        """As `answer`, cancelled by another thread once so much of the prompt, and of the text, was told."""

    def trim(self, what: str) -> int:
        """Bytes given back of "caches" or "weights"."""


Opens = Callable[..., AbstractContextManager[Talker]]  # (bundle, slots=1, piece=128)


def said(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def ended(run: Any, cancel: Callable[[], None], due: bool) -> None:
    """Cancel it on another thread, when it is due."""
    if due:
        thread = threading.Thread(target=cancel)
        thread.start()
        thread.join()


class Responses:
    """Every text is that of a reader who keeps nothing and reads a prompt at once: the Python runtime's generate."""

    def fresh(self, bundle: Path, messages: Any, **options: Any) -> str:
        opened = open_bundle(bundle)
        assert isinstance(opened, LlmBundle)
        opened.slots._piece = opened._none._piece = WHOLE
        return "".join(opened.generate(messages, **options))

    def test_turns_are_not_read_again(self, opens: Opens, talking_bundle: Path) -> None:
        messages = [said("the café and a hand in the can")]
        with opens(talking_bundle) as kept, opens(talking_bundle, slots=0) as reads:
            for turn in range(5):
                request = {"messages": messages, "max_tokens": 20, **GREEDY}
                own, other = kept.answer(**request), reads.answer(**request)
                assert own.text == other.text == self.fresh(talking_bundle, messages, max_tokens=20)
                assert own.prompt_tokens == other.prompt_tokens and own.tokens == other.tokens
                assert other.reused == 0 and (own.reused > 10 if turn else own.reused == 0)
                assert own.pieces[-1] == own.prompt_tokens
                messages = [*messages, {"role": "assistant", "content": own.text}, said(f"and then {turn}?")]
            first = kept.answer(messages=messages[:1], max_tokens=20, **GREEDY)  # back at the beginning
            assert first.text == self.fresh(talking_bundle, messages[:1], max_tokens=20)
            assert first.reused == first.prompt_tokens - 1

    @pytest.mark.parametrize("piece", [1, 7, 128])
    def test_a_prompt_in_pieces(self, opens: Opens, talking_bundle: Path, piece: int) -> None:
        text = "the hand and the can in a café " * (2 if piece == 1 else 40)
        with opens(talking_bundle, piece=piece) as talker:
            answer = talker.answer(prompt=text, max_tokens=20, **GREEDY)
        assert answer.text == self.fresh(talking_bundle, text, max_tokens=20)
        assert len(answer.pieces) == -(-answer.prompt_tokens // piece)

    @pytest.mark.parametrize("words", [1, 3, 4, 5, 12])
    @pytest.mark.parametrize("slots", [0, 1])
    def test_pieces_and_a_border(self, opens: Opens, bordered_bundle: Path, words: int, slots: int) -> None:
        text = "the café and " * words
        with opens(bordered_bundle, slots=slots, piece=4) as talker:
            answer = talker.answer(prompt=text, max_tokens=30, **GREEDY)
        assert answer.text == self.fresh(bordered_bundle, text, max_tokens=30)

    def test_a_cache_and_a_border(self, opens: Opens, bordered_bundle: Path) -> None:
        """Its keys are of use on its side of the border alone."""
        short, long, longer = ("the café and " * words for words in (2, 6, 9))
        with opens(bordered_bundle, piece=4) as talker:

            def reused(text: str, max_tokens: int) -> int:
                answer = talker.answer(prompt=text, max_tokens=max_tokens, **GREEDY)
                assert answer.text == self.fresh(bordered_bundle, text, max_tokens=max_tokens)
                return answer.reused

            first, again = reused(short, 2), reused(short, 2)
            assert first == 0 and 0 < again < BORDER
            assert reused(long, 2) == 0  # other keys
            assert reused(longer, 2) > BORDER
            assert reused(short, 30) == 0  # others again; its answer grows past the border
            assert reused(longer, 2) > 0

    def test_two_conversations(self, opens: Opens, talking_bundle: Path) -> None:
        with opens(talking_bundle, slots=2) as two, opens(talking_bundle) as single:
            for talker, most in ((two, 2), (single, 0)):
                talks = [[said("the first talk is of the hand")], [said("another one of a café in the can")]]
                reused = 0
                for _ in range(3):
                    for messages in talks:
                        answer = talker.answer(messages=messages, max_tokens=8, **GREEDY)
                        assert answer.text == self.fresh(talking_bundle, list(messages), max_tokens=8)
                        reused += answer.reused > 5
                        messages += [{"role": "assistant", "content": answer.text}, said("on")]
                assert reused == 2 * most

    def test_what_a_cache_cannot_go_on_with(self, opens: Opens, talking_bundle: Path) -> None:
        request = {"prompt": "the café and the hand", "max_tokens": 8}
        with opens(talking_bundle) as talker:
            plain = talker.answer(**request, **GREEDY)
            assert talker.answer(**request, **GREEDY).reused > 0
            assert talker.answer(**request, temperature=1.0, seed=5).reused == 0
            other = talker.answer(**request, temperature=0.7, top_k=3)  # drawn otherwise
            assert other.reused == 0 and talker.answer(**request, temperature=0.7, top_k=3).reused > 0
            assert talker.answer(**request, **GREEDY).text == plain.text

    def test_a_call_of_a_function(self, opens: Opens, calling_bundle: Path) -> None:
        assert "tools" in TOOLS
        request = {"messages": [said("Rome?")], "tools": [WEATHER], "call": "required", "max_tokens": 60}
        with opens(calling_bundle) as talker:
            for _ in range(2):
                answer = talker.answer(**request, **GREEDY)
                assert (answer.text, answer.reused) == ("", 0)
                assert answer.calls == (("call-0", "weather", answer.calls[0][2]),) and "Rome" in answer.calls[0][2]

    def test_an_answer_is_cancelled(self, opens: Opens, talking_bundle: Path) -> None:
        request = {"messages": [said("the café and the hand")], "max_tokens": 500, **GREEDY}
        with opens(talking_bundle) as talker:
            answer = talker.answer_until(0, 3, **request)
            assert answer.reason == "cancelled" and 0 < answer.tokens < 500 and len(answer.text) >= 3
            messages = [*request["messages"], {"role": "assistant", "content": answer.text}, said("on")]
            after = talker.answer(messages=messages, max_tokens=8, **GREEDY)
            assert after.reused > 5 and after.text == self.fresh(talking_bundle, messages, max_tokens=8)

    def test_a_prompt_is_cancelled(self, opens: Opens, talking_bundle: Path) -> None:
        prompt = "the hand and the can in a café " * 150
        with opens(talking_bundle, piece=16) as talker:
            answer = talker.answer_until(3, 0, prompt=prompt, **GREEDY)
            assert (answer.reason, answer.text, answer.tokens) == ("cancelled", "", 0)
            after = talker.answer(prompt=prompt, max_tokens=8, **GREEDY)
            assert after.text == self.fresh(talking_bundle, prompt, max_tokens=8)

    def test_an_int8_cache(self, opens: Opens, int8_bundle: Path) -> None:
        """A kept cache is gone on with, and rewound, as one of floats is."""
        messages = [said("the café and a hand in the can")]
        with opens(int8_bundle, piece=16) as talker:
            for turn in range(3):
                answer = talker.answer(messages=messages, max_tokens=20, **GREEDY)
                assert answer.text == self.fresh(int8_bundle, messages, max_tokens=20)
                assert answer.reused > 10 if turn else answer.reused == 0
                messages = [*messages, {"role": "assistant", "content": answer.text}, said(f"and then {turn}?")]
            first = talker.answer(messages=messages[:1], max_tokens=20, **GREEDY)  # back at the beginning
            assert first.text == self.fresh(int8_bundle, messages[:1], max_tokens=20)
            assert first.reused == first.prompt_tokens - 1

    def test_trim(self, opens: Opens, talking_bundle: Path) -> None:
        request = {"prompt": "the café and the hand", "max_tokens": 8, **GREEDY}
        with opens(talking_bundle) as talker:
            assert talker.trim("caches") == 0
            plain = talker.answer(**request)
            cache = talker.trim("caches")
            assert cache == 1 << 20
            again = talker.answer(**request)
            assert (again.text, again.reused, again.loaded) == (plain.text, 0, False)
            assert talker.trim("weights") > cache and talker.trim("weights") == 0
            anew = talker.answer(**request)
            assert (anew.text, anew.reused, anew.loaded) == (plain.text, 0, True)
