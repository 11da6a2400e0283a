"""Files that a user names, of every shape: one line, the documented exit code, and no waiting for a pipe."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit import commands
from edgekit.report import formats
from tests import needs
from tests.unit.report import samples

pytestmark = [pytest.mark.unit, needs.posix]

PLACES: dict[str, Callable[[Path], object]] = {
    "a pipe": lambda path: os.mkfifo(path),
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "a folder": Path.mkdir,
    "a link to itself": lambda path: path.symlink_to(path.name),
    "nothing": lambda path: None,
    "no UTF-8": lambda path: path.write_bytes(b"\xff\xfe\x00a"),
}
TOML = {
    "deep lists": "a = " + "[" * 5_000 + "]" * 5_000,
    "deep lists that Python reads": "a = " + "[" * 100 + "]" * 100,
    "deep tables": "a = " + "{b = " * 3_000 + "1" + "}" * 3_000,
    "deep dotted keys": ".".join(["a"] * 5_000) + " = 1",
    "deep headers": f"[{'.'.join(['a'] * 5_000)}]\nb = 1",
    "a number of 10,000 digits": "a = " + "9" * 10_000,
    "a number of 400 digits": "a = " + "9" * 400,
    "a known key of 400 digits": "[llm]\nmax_length = " + "9" * 400,
    "no date": "a = 2026-13-45T99:99:99",
    "twice": "a = 1\na = 2",
    "a control character": 'a = "\x01"',
    "a list of tables": "[[llm]]\n",
    "infinite": "[tensor.budget]\nlatency_p90_ms = { max = inf }",
    "no number": "[tensor.budget]\nlatency_p90_ms = { max = nan }",
}
JSON = {
    "deep lists": "[" * 200_000,
    "deep lists that Python reads": '{"reports": ' + "[" * 100 + "]" * 100 + "}",
    "deep tables": '{"reports":' * 200_000,
    "a number of 10,000 digits": '{"reports": ' + "9" * 10_000 + "}",
    "a number of 400 digits": '{"reports": [' + "9" * 400 + "]}",
    "a number": "7",
    "half a pair": '{"format": "\\ud800"}',
    "nothing": "",
    "a newer format": '{"format": "7.0"}',
    "a format of many digits": json.dumps({"format": "9" * 10_000}),
}


RESULTS: dict[str, tuple[tuple[Any, ...], str]] = {
    "no number": (("energy", "samples", 0, 1), "NaN"),
    "an infinite watt": (("energy", "idle_w", 0), "Infinity"),
    "a number beyond floats": (("bundle", "partition", "portable", "blockers", 0, "share"), "1e999"),
}


def _one_line(words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(words) == code
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and said[0].startswith("error: ") and said[1].startswith("  next: ")
    assert len(said[0]) < 500 and "Traceback" not in said[0] and "sys." not in said[0]


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(
    ("words", "name", "code"),
    [
        (["targets", "show"], "mine.toml", 3),
        (["models"], "mine.toml", 4),
        (["report", "-o", "-"], "result.json", 2),
        (["report", "--format", "markdown"], "result.json", 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_no_regular_file_of_text_is_refused(
    words: list[str], name: str, code: int, place: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place(tmp_path / name)
    _one_line([*words, str(tmp_path / name)], code, capsys)


@pytest.mark.parametrize("text", TOML.values(), ids=TOML)
@pytest.mark.parametrize(("words", "code"), [(["targets", "show"], 3), (["models"], 4)])
def test_a_toml_of_any_nesting_and_number_ends_in_one_line(
    words: list[str], code: int, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin = 'extends = "linux-cpu"\nname = "mine"\n' if code == 3 else 'name = "mine"\n'
    (tmp_path / "mine.toml").write_text(begin + text)
    _one_line([*words, str(tmp_path / "mine.toml")], code, capsys)


@pytest.mark.parametrize("text", JSON.values(), ids=JSON)
@pytest.mark.parametrize("words", [["report", "-o", "-"], ["report", "--format", "junit"]], ids=lambda words: words[1])
def test_a_result_of_any_nesting_and_number_ends_in_one_line(
    words: list[str], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "result.json").write_text(text)
    _one_line([*words, str(tmp_path / "result.json")], 2, capsys)


@pytest.mark.parametrize(("place", "number"), RESULTS.values(), ids=RESULTS)
def test_a_result_whose_numbers_are_none_is_refused(
    place: tuple[Any, ...], number: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each went as far as a format of the report, and ended it with an internal error."""
    whole = json.loads(formats.render("json", [samples.phone()]))
    table = whole
    for part in place[:-1]:
        table = table[part]
    assert isinstance(table[place[-1]], float)
    table[place[-1]] = "HERE"
    (tmp_path / "result.json").write_text(json.dumps(whole).replace('"HERE"', number))
    _one_line(["report", "-o", str(tmp_path / "page.html"), str(tmp_path / "result.json")], 2, capsys)
