"""Tables fit a terminal of 80 columns: no name is broken, and where names leave no room the rows become lines."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from edgekit import columns, console

pytestmark = pytest.mark.unit

NAMES = ("smollm2-135m-instruct-linux-cpu", "sentence-transformers-all-MiniLM-L6-v2-android-qnn-sm8650")
WHY = "the target has no accelerator for this kind of model, so the default recipe of its processor is taken"


def shown(width: int, heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    stream = io.StringIO()
    made = columns.table(heads, rows, (), width)
    assert made is not None
    Console(file=stream, width=width).print(made)
    return stream.getvalue()


def test_names_stay_whole_and_sentences_fold() -> None:
    text = shown(80, ("bundle", "because"), [(NAMES[1], WHY), (NAMES[0], "")])
    assert all(name in text for name in NAMES) and all(len(line) <= 80 for line in text.splitlines())
    words = [word for line in text.splitlines()[3:-1] for word in line.split("│")[2].split()]
    assert words == WHY.split()


def test_a_table_without_room_for_its_names_becomes_lines() -> None:
    heads, rows = (
        ("bundle", "file", "because"),
        [(NAMES[1], "model/portable/model.onnx.data", WHY), (NAMES[0], "x", "")],
    )
    assert columns.table(heads, rows, (), 80) is None
    text = columns.listed(heads, rows, 80)
    lines = text.splitlines()
    assert lines[0] == NAMES[1] and lines[1] == "  file     model/portable/model.onnx.data"
    assert lines[2].startswith("  because  the target") and lines[3].startswith(" " * 11)
    assert lines[-2:] == [NAMES[0], "  file     x"]  # an empty cell is left out
    assert all(len(line) <= 80 for line in lines)


def test_a_word_longer_than_the_terminal_is_not_cut() -> None:
    path = "/a/" + "b" * 100
    assert columns.pair("  bundle  ", f"at {path} now", 80).split() == ["bundle", "at", path, "now"]


def test_a_stranger_gives_no_orders_in_either_form() -> None:
    for width in (80, 20):
        rows = [("a\x1b[2J", "b [red]c[/red]")]
        made = columns.table(("x", "y"), rows, (), width)
        stream = io.StringIO()
        Console(file=stream, width=width, markup=False).print(made or columns.listed(("x", "y"), rows, width))
        assert "\x1b" not in stream.getvalue() and "[red]c[/red]" in stream.getvalue()


def test_a_terminal_gets_pairs_that_fold(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    console.pairs([("why", WHY)])
    assert capsys.readouterr().out == f"  why               {WHY}\n"  # a log has no width
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    console.pairs([("why", WHY)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[1].startswith(" " * 20) and all(len(line) <= 80 for line in lines)


def test_a_terminal_gets_lines_that_fold(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    long = "  " + "edgekit models show NAME: facts, scores with their sources; " * 3
    console.out(long)
    assert capsys.readouterr().out == long + "\n"  # a log has no width
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    console.out(long)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and all(line.startswith("  ") and len(line) <= 80 for line in lines)
    assert " ".join(line.strip() for line in lines) == " ".join(long.split())
