"""How an answer is drawn, and cut into thoughts and text."""

from __future__ import annotations

import math

import pytest

from edgekit.wrappers.python.answers import Part, Sampling, Splitter

pytestmark = pytest.mark.unit
ANSWER = "<think>\nIs 2 < 3? <thin\n</think>\n\nYes: <b>2 < 3</b>."
PARTS = [("thought", "Is 2 < 3? <thin\n"), ("text", "Yes: <b>2 < 3</b>.")]


def joined(parts: list[Part]) -> list[tuple[str, str]]:
    """Neighbours of one kind as one."""
    whole: list[tuple[str, str]] = []
    for kind, text in parts:
        if whole and whole[-1][0] == kind:
            whole[-1] = (kind, whole[-1][1] + text)
        else:
            whole.append((kind, text))
    return whole


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_thoughts_are_cut_by_their_words_however_the_pieces_come(size: int) -> None:
    splitter = Splitter("<think>", "</think>")
    pieces = [ANSWER[at : at + size] for at in range(0, len(ANSWER), size)]
    assert joined([part for piece in pieces for part in splitter.push(piece)] + splitter.finish()) == PARTS


def test_a_prompt_may_have_begun_the_thought() -> None:
    splitter = Splitter("<think>", "</think>", inside=True)
    assert joined(splitter.push("Well.\n</think>\nYes.")) == [("thought", "Well.\n"), ("text", "Yes.")]


def test_tokens_alone_cut_where_they_are_known() -> None:
    splitter = Splitter()
    assert splitter.turn(True) == [] and splitter.push("\n") == []
    assert splitter.push("\na </think> b") == [("thought", "a </think> b")]
    assert (
        splitter.turn(False) == []
        and splitter.push("\n\nc") == [("text", "c")]
        and splitter.push("\n") == [("text", "\n")]
    )


def test_what_is_asked_for_overrides_what_is_stated() -> None:
    stated = {"temperature": 0.8, "top_k": 50, "top_p": 0.95, "repetition_penalty": 1.1, "max_new_tokens": 9}
    assert Sampling.of(stated, messages=[], top_p=0.5, min_p=None, seed=3) == Sampling(0.8, 50, 0.5, None, 1.1, 3)
    assert Sampling.of({}) == Sampling() and Sampling.of(stated, temperature=0.0).temperature == 0


def test_options_of_the_engine() -> None:
    assert Sampling().options() == {"do_sample": False, "repetition_penalty": 1.0}
    drawn = Sampling(0.8, top_k=5, min_p=0.1, seed=4)
    assert drawn.options() == {
        "do_sample": True,
        "temperature": 0.8,
        "repetition_penalty": 1.0,
        "top_k": 5,
        "random_seed": 4,
    }
    assert drawn.reach == pytest.approx(0.8 * math.log(10)) and Sampling(min_p=0.1).reach is None
