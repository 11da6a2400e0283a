"""Streaming: whole characters, nothing lost after broken ones, nothing beyond a stop string."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.wrappers.python.text import MAX_PENDING, UNFINISHED, StopHolder, Streamer

pytestmark = pytest.mark.unit


def genai_decode(ids: Sequence[int]) -> str:
    """As GenAI 0.14.1 decodes byte tokens: the text ends at the first broken character, with U+FFFD for it."""
    raw = bytes(ids)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        return raw[: error.start].decode() + UNFINISHED


def streamed(raw: bytes) -> str:
    streamer = Streamer(genai_decode)
    return "".join([streamer.push(byte) for byte in raw]) + streamer.finish()


def marks_merged(text: str) -> str:
    """Engines differ in how many U+FFFD stand for a run of broken bytes."""
    while UNFINISHED * 2 in text:
        text = text.replace(UNFINISHED * 2, UNFINISHED)
    return text


def test_characters_come_whole() -> None:
    streamer = Streamer(genai_decode)
    pieces = [streamer.push(byte) for byte in "a語😀é".encode()]
    assert pieces == ["a", "", "", "語", "", "", "", "😀", "", "é"]
    assert streamer.finish() == ""


@given(st.text())
def test_text_comes_as_it_is(text: str) -> None:
    assert streamed(text.encode()) == text


@given(st.binary(max_size=60))
def test_nothing_is_lost_after_broken_bytes(raw: bytes) -> None:
    assert marks_merged(streamed(raw)) == marks_merged(raw.decode(errors="replace"))


def test_letters_after_a_broken_character_come_at_once() -> None:
    streamer = Streamer(genai_decode)
    assert [streamer.push(byte) for byte in b"\xe8\xaaAB\xffC"] == ["", "", UNFINISHED + "A", "B", "", UNFINISHED + "C"]


def test_what_stays_broken_is_given_up() -> None:
    streamer = Streamer(genai_decode)
    pieces = [streamer.push(0xFF) for _ in range(MAX_PENDING)]
    assert "".join(pieces) == UNFINISHED and pieces[-1] == UNFINISHED
    assert streamer.push(ord("x")) == "x"


def test_an_answer_that_ends_inside_a_character() -> None:
    streamer = Streamer(genai_decode)
    assert [streamer.push(byte) for byte in b"ok\xe8\xaa"] == ["o", "k", "", ""]
    assert streamer.finish() == UNFINISHED
    assert streamer.finish() == ""


def test_how_a_token_is_written_may_depend_on_the_one_before() -> None:
    words = {1: "▁Hello", 2: "▁world", 3: "!"}

    def decode(ids: Sequence[int]) -> str:
        return "".join(words[one] for one in ids).replace("▁", " ").removeprefix(" ")

    streamer = Streamer(decode)
    assert [streamer.push(one) for one in (1, 2, 3)] == ["Hello", " world", "!"]


@pytest.mark.parametrize(
    ("stops", "pieces", "shown"),
    [
        (["END"], ["some E", "ND more"], "some "),
        (["END"], ["some E", "N", "E", "ND"], "some EN"),
        (["END"], ["E", "E", "N", "D", "x"], "E"),
        (["abc", "b"], ["a", "b", "c"], "a"),
        (["aab"], ["a", "a", "a", "b"], "a"),
        (["", "x"], ["yx"], "y"),
        ([], ["all", " of it"], "all of it"),
        (["語"], ["日本", "語 text"], "日本"),
    ],
)
def test_nothing_of_a_stop_string_or_after_it_is_shown(stops: list[str], pieces: list[str], shown: str) -> None:
    holder = StopHolder(stops)
    said = "".join(holder.push(piece) for piece in pieces)
    assert said + holder.finish() == shown
    assert holder.stopped == (shown != "".join(pieces))
    assert holder.push("later") == "" or not holder.stopped


@given(st.lists(st.text(alphabet="ab", max_size=3)), st.lists(st.text(alphabet="ab", min_size=1, max_size=3)))
def test_pieces_do_not_change_where_it_stops(pieces: list[str], stops: list[str]) -> None:
    whole = "".join(pieces)
    holder = StopHolder(stops)
    said = "".join(holder.push(piece) for piece in pieces)
    said += holder.finish()
    found = [at for stop in stops if (at := whole.find(stop)) >= 0]
    assert holder.stopped == bool(found)
    # Of two stops that overlap, the one that is whole first ends it, and no later than the first begins.
    assert whole.startswith(said) and (said == whole if not found else len(said) <= max(found))


def test_what_could_begin_a_stop_string_is_held_back() -> None:
    holder = StopHolder(["<end>"])
    assert holder.push("text <e") == "text "
    assert holder.push("x") == "<ex"
    assert holder.push("<") == ""
    assert holder.finish() == "<"
