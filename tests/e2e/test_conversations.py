"""A real language model in a conversation: caches that are kept, ends in mid prompt, memory that is given back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.devices._runner import LIBRARY
from edgekit.wrappers.python import open_bundle
from edgekit.wrappers.python.answers import Sampling
from edgekit.wrappers.python.events import Done, Text
from edgekit.wrappers.python.llm import LlmBundle
from tests.engines.wrappers.cpp import abi

pytestmark = pytest.mark.tools

MODEL = "smollm2-135m-instruct"
GREEDY = {"temperature": 0.0, "top_p": 1.0}
QUESTIONS = (
    "My name is Ada, and I keep bees on a roof in Lisbon. What should I plant for them in spring? 🐝",
    "Which of those is the easiest to grow in a pot?",
    "How often do I have to water it in August?",
    "And what was my name?",
    "Say all of that in one sentence.",
)


@pytest.fixture(scope="module")
def library(runner: Path) -> abi.Library:
    return abi.Library(runner.parent / LIBRARY)


def anonymous_bytes() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


def test_five_turns(library: abi.Library, catalogue_bundle: Callable[[str], Path]) -> None:
    """The C++ core and the Python runtime keep a cache; a core that keeps none reads all again. The answers are one."""
    folder = catalogue_bundle(MODEL)
    python = open_bundle(folder)
    assert isinstance(python, LlmBundle)
    messages: list[dict[str, Any]] = []
    with abi.Bundle(library, folder) as kept, abi.Bundle(library, folder, slots=-1) as reads:
        for turn, question in enumerate(QUESTIONS):
            messages.append({"role": "user", "content": question})
            asked = {"messages": messages, "max_tokens": 24, **GREEDY}
            own, other = kept.respond(**asked).all(), reads.respond(**asked).all()
            events = list(python.respond(messages, max_tokens=24, sampling=Sampling()))
            done = events[-1]
            assert isinstance(done, Done)
            text = "".join(event.text for event in events if isinstance(event, Text))
            assert own.text == other.text == text and own.text
            assert own.done["tokens"] == other.done["tokens"] == done.tokens
            assert own.done["prompt_tokens"] == other.done["prompt_tokens"] == done.prompt_tokens
            # What is new: the end of the answer before, the question, and the marks around it.
            new = done.prompt_tokens - done.reused
            assert own.done["reused"] == done.reused and other.done["reused"] == 0
            assert new < 60 if turn else done.reused == 0
            messages.append({"role": "assistant", "content": text})
            own.free()
            other.free()


def test_a_long_prompt_is_cancelled_and_memory_given_back(
    library: abi.Library, catalogue_bundle: Callable[[str], Path]
) -> None:
    with abi.Bundle(library, catalogue_bundle(MODEL)) as bundle:
        cache = bundle.facts()["cache_bytes"]
        short = {"prompt": "The capital of France is", "max_tokens": 8, **GREEDY}
        first = bundle.respond(**short).all()
        run = bundle.respond(prompt="The bees of a roof in Lisbon. " * 430, max_tokens=8, **GREEDY)
        assert run.next() == abi.PROGRESS and run.pieces == [128]  # of some 3,000 tokens
        time.sleep(0.05)  # inside the next piece
        asked = time.perf_counter()
        thread = threading.Thread(target=run.cancel)
        thread.start()
        run.all()
        waited = time.perf_counter() - asked
        thread.join()
        assert run.done["reason"] == "cancelled" and run.done["tokens"] == 0 and not run.text
        assert run.done["prompt_tokens"] > 2500 and run.pieces[-1] < 1000
        assert waited < 5, waited  # how long it takes on a machine at rest is for benchmarks to say
        again = bundle.respond(**short).all()
        assert again.text == first.text
        before = anonymous_bytes()
        assert bundle.trim(abi.CACHES) == cache
        between = anonymous_bytes()
        assert before - between > 0.9 * cache
        assert bundle.trim(abi.WEIGHTS) > 0 and anonymous_bytes() < between
        last = bundle.respond(**short).all()
        assert last.text == first.text and last.done["loaded"] and last.done["reused"] == 0
        for asked_for in (first, run, again, last):
            asked_for.free()
