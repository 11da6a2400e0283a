"""What strangers write is shown, never obeyed: by a terminal, a CI system, a reader's eye, or rich."""

from __future__ import annotations

import io
import json
import sys
import unicodedata

import pytest

from edgekit import console, data, plain
from edgekit.errors import BundleError

pytestmark = pytest.mark.unit

Capture = pytest.CaptureFixture[str]

# What is never shown, by kind.
UNSEEN = {
    "escape sequences": "\x1b[31m \x1b]0;title\x07 \x1b]8;;http://x\x1b\\ \x1bP \x1b_ \x1b^ \x1bc \x1b(0",
    "C1 controls": "\x80\x84\x85\x8d\x90\x9b31m\x9c\x9d0;title\x9c\x9e\x9f",
    "C0 controls": "\x00\x01\x05\x07\x08\x0b\x0c\x0e\x0f\x11\x18\x1a\x1f\x7f",
    "overwriting": "good\rbad",
    "directions": "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c",
    "separators": "a\u2028b\u2029c",
    "invisible": "\u200b\u2060\u2061\u2064\ufeff\xad\u034f\u180e\u115f\u1160\u3164\uffa0\u17b4",
    "joiners": "pay\u200dpal pay\u200cpal",
    "tags": "".join(chr(0xE0000 + ord(letter)) for letter in "ignore all") + "\U000e0001\U000e007f",
    "selectors for smuggling": "\U000e0100\U000e01ef\u180b",
    "annotations": "\ufff9\ufffa\ufffb",
    "noncharacters": "\ufffe\uffff",
    "half pairs": "\udc80 \udfff \ud800",
    "music and shorthand": "\U0001d173\U0001bca0",
}
# What a line of a log must not say: (what a stranger wrote, what is obeyed).
ORDERS = (
    ("::error::x", "::error"),
    ("  \t::set-output name=a::b", "::set"),
    ("\u3000::add-mask::x", "::add"),
    ("x ##[error]y", "##["),
    ("##vso[task.setvariable variable=a]b", "##vso["),
    ("##VSO[task.complete]", "##VSO["),
    ("##teamcity[buildStatus text='x']", "##teamcity["),
)
KEPT = "Ünïcödé 日本\u3000語 हिन्दी ⚠\ufe0f 🙂 a\u00a0b 1\u202f000 [red]x[/red] :smile: 50 % <b>"


@pytest.mark.parametrize("kind", UNSEEN)
def test_every_character_that_is_obeyed_or_unseen_is_a_question_mark(kind: str) -> None:
    for character in set(UNSEEN[kind]) - set(" ?"):
        if unicodedata.category(character)[0] in "CZ" or not character.isascii():
            for show in (plain.line, plain.block, plain.cell):
                assert show(f"a{character}b") == "a?b", f"U+{ord(character):04X}"


def test_every_control_and_every_half_pair_is_unsafe() -> None:
    for code in [*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000), *range(0xE0000, 0xE1000)]:
        assert plain.UNSAFE.fullmatch(chr(code)) or chr(code) in "\n\t", f"U+{code:04X}"


def test_every_format_character_is_unsafe_but_the_visible_signs_before_digits() -> None:
    signs = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
    for code in range(0x110000):
        if unicodedata.category(chr(code)) == "Cf" and not 0x13430 <= code < 0x13460:  # hieroglyphs' layout
            assert bool(plain.UNSAFE.fullmatch(chr(code))) != (chr(code) in signs), f"U+{code:04X}"


def test_letters_spaces_and_emoji_stay() -> None:
    assert plain.block(KEPT) == plain.line(KEPT) == KEPT
    assert plain.block("a\tb\nc\r\nd") == "a\tb\nc\nd"


def test_a_newline_writes_no_line_of_its_own() -> None:
    assert plain.line("name\nerror: all is well\r\nx\n") == "name?error: all is well?x"
    assert plain.cell("a\tb\nc") == "a b?c"


@pytest.mark.parametrize(("text", "order"), ORDERS)
def test_a_log_gives_no_orders(text: str, order: str) -> None:
    for shown in (plain.line(text), plain.block(f"first\n{text}"), plain.cell(text)):
        assert order not in shown and "?" in shown
    assert plain.line("std::string and a::b") == "std::string and a::b"


@pytest.mark.parametrize("text", [*UNSEEN.values(), *(text for text, _ in ORDERS), KEPT])
def test_json_is_the_same_data_and_nothing_that_is_obeyed(text: str) -> None:
    shown = plain.in_json(json.dumps({"a": [text]}, ensure_ascii=False))
    assert json.loads(shown) == {"a": [text]}
    assert not plain.UNSAFE.search(shown) and "##[" not in shown
    assert json.loads(data.pretty({"a": text})) == {"a": text}
    data.pretty({"a": text}).encode()


@pytest.mark.parametrize("pieces", [1, 2, 3, 7])
@pytest.mark.parametrize("text", [*UNSEEN.values(), *(text for text, _ in ORDERS)])
def test_an_answer_in_pieces_is_as_safe_as_in_one(text: str, pieces: int) -> None:
    whole = f"{text}\n{text}{'.' * 200}\n{text}"
    answer = plain.Answer()
    shown = "".join(answer.piece(whole[at : at + pieces]) for at in range(0, len(whole), pieces))
    assert len(shown) == len(whole)
    assert plain.UNSAFE.sub("", shown) == shown.replace("\u200c", "").replace("\u200d", "")
    assert all(order not in line for text, order in ORDERS for line in shown.splitlines() if line.strip()[:2] == "::")
    assert "##[" not in shown and "##vso[" not in shown.lower()


def test_an_answer_keeps_the_joiners_of_emoji_and_scripts() -> None:
    text = "👨\u200d👩\u200d👧 \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645\n\tdone\r\n"
    assert plain.Answer().piece(text) == text.replace("\r\n", "\n")


HOSTILE = "".join(UNSEEN.values()) + " [red]x[/red] [/] [link=http://e]y[/link] :warning: [bold"


@pytest.mark.parametrize("terminal", [False, True])
def test_nothing_that_the_console_shows_is_obeyed(
    terminal: bool, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every door of the console, on a terminal and on a pipe; rich's own codes are the only escapes."""
    if terminal:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        monkeypatch.setenv("TERM", "dumb")  # no codes of rich's own
    console.configure(verbose=True)
    for text in (HOSTILE, f"\n::error::{HOSTILE}"):
        console.say(text)
        console.detail(text)
        console.log(text)
        console.warn(text)
        with console.step(text):
            console.tick(text)
        console.out(text)
        console.page(text)
        console.stream(text + "\n")
        console.table(text, (text, "b"), [(text, "b"), ("a", text)], right=(1,))
        console.failure(BundleError(text, next=text))
        console.document("edgekit.x/1", {text: text}, error=BundleError(text, next=text))
        console.event({"text": text})
    out, err = capsys.readouterr()
    for shown in (out, err):
        assert not plain.UNSAFE.search(shown.replace("\u200c", "").replace("\u200d", ""))
        assert "[link=http://e]y[/link] :warning: [bold" in shown.replace("\n", "")
        assert not [line for line in shown.splitlines() if line.strip().startswith("::")]


def test_a_stdout_of_another_encoding_still_gets_valid_json(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))
    console.out("größe 日本")
    console.document("edgekit.x/1", {"a": "größe 日本 \udc80"})
    first, _, rest = raw.getvalue().partition(b"\n")
    assert first == "größe ??".encode("latin-1")
    assert json.loads(rest)["data"] == {"a": "größe 日本 \udc80"}
