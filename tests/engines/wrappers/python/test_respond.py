"""The Python runtime in a conversation (conformance_respond.py), and what only it does."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edgekit.wrappers.python import open_bundle
from edgekit.wrappers.python.answers import Sampling
from edgekit.wrappers.python.events import Done, Progress, Text, ToolCall
from edgekit.wrappers.python.llm import LlmBundle
from edgekit.wrappers.python.respond import Run
from edgekit.wrappers.python.slots import Slots
from tests.engines.wrappers.conformance_respond import Answered, Opens, Responses, ended, said
from tests.engines.wrappers.small_models import END

pytestmark = pytest.mark.runtimes

DRAWN = ("temperature", "top_k", "top_p", "seed")


class Here:
    """A bundle of the Python runtime."""

    def __init__(self, bundle: LlmBundle) -> None:
        self.bundle = bundle

    def start(self, **request: Any) -> Run:
        drawn = Sampling.of({}, **{name: request.pop(name) for name in DRAWN if name in request})
        messages = request.pop("messages", None) or request.pop("prompt")
        return self.bundle.respond(messages, sampling=drawn, **request)

    def answer(self, **request: Any) -> Answered:
        return self.answer_until(1 << 30, 1 << 30, **request)

    def answer_until(self, pieces: int, chars: int, **request: Any) -> Answered:
        run = self.start(**request)
        text, read, calls = "", [], []
        for event in run:
            if isinstance(event, Progress):
                read.append(event.read)
            elif isinstance(event, Text):
                text += event.text
            elif isinstance(event, ToolCall):
                calls.append((event.id, event.name, event.json))
            elif isinstance(event, Done):
                assert run.next() == event
                numbers = (event.prompt_tokens, event.tokens, event.reused, event.loaded)
                return Answered(text, event.reason, *numbers, tuple(read), tuple(calls))
            ended(run, run.cancel, len(read) >= pieces and len(text) >= chars)
        raise AssertionError("no end")

    def trim(self, what: Any) -> int:
        return self.bundle.trim(what)


@contextmanager
def here(bundle: Path, slots: int = 1, piece: int = 128) -> Iterator[Here]:
    opened = open_bundle(bundle, slots=slots)
    assert isinstance(opened, LlmBundle)
    opened.slots = Slots(opened, slots, piece)
    yield Here(opened)


@pytest.fixture
def opens() -> Opens:
    return here


class TestResponses(Responses):
    pass


def test_an_engine_that_does_not_read_on(talking_bundle: Path) -> None:
    request = {"prompt": "the café and the hand", "max_tokens": 8}
    with here(talking_bundle, piece=4) as talker:
        plain = talker.answer(**request)
        talker.bundle.slots._once = True
        for _ in range(2):
            again = talker.answer(**request)
            assert (again.text, again.reused, again.pieces) == (plain.text, 0, (plain.prompt_tokens,))


def test_the_template_s_end_of_a_turn_ends_an_answer(talking_bundle: Path) -> None:
    with here(talking_bundle) as talker:
        assert talker.bundle.eos_token_ids == {0, END}


def test_leaving_the_loop_ends_the_answer(talking_bundle: Path) -> None:
    with here(talking_bundle) as talker:
        run = talker.start(prompt="the café and", max_tokens=200)
        for event in run:
            if isinstance(event, Text):
                break
        with talker.start(prompt="the café and", max_tokens=200) as again:
            first = again.next()
        assert first == Progress(6 - 1, 6)  # the cache was given back
        assert talker.answer(prompt="the café and", max_tokens=3).reused > 0


def test_a_bundle_that_is_left_is_given_back(talking_bundle: Path) -> None:
    bundle = open_bundle(talking_bundle)
    assert isinstance(bundle, LlmBundle)
    Here(bundle).answer(messages=[said("the café")], max_tokens=3)
    gc.disable()
    try:
        model = bundle.model
        del bundle
        assert [holder for holder in gc.get_referrers(model) if isinstance(holder, tuple)] == []  # without a cycle
    finally:
        gc.enable()
