"""Options that exclude or need one another: each pair is refused before anything is opened, and named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from edgekit import commands, sources
from edgekit.commands import _together

pytestmark = pytest.mark.unit

VALUES = {"--recipe": "int4_rtn", "--processes": "5", "--format": "html", "--budget": "bundle_mb:max=1"}
FIRST = {"build": ["MODEL", "--target", "linux-cpu"], "run": ["BUNDLE"], "check": ["BUNDLE"]}
FIRST |= {"quality": ["BUNDLE", "--against", "MODEL"], "cache prune": []}
PAIRS = [(name, a, b) for name, rows in _together.EXCLUSIVE.items() for a, others, _ in rows for b in others]
LONE = [(name, word, other) for name, rows in _together.NEEDED.items() for word, other, _ in rows]


def command(name: str) -> click.Command:
    group, _, below = name.partition(" ")
    there = commands.cli.get_command(click.Context(commands.cli), group)
    assert there is not None
    return there.commands[below] if isinstance(there, click.Group) else there


def typed(name: str, word: str, sealed: Path) -> list[str]:
    """A word of the tables as a user types it, with a value that its option takes."""
    option, _, value = word.partition(" ")
    if option == "PROMPT":
        return ["Hello"]
    parameter = next(each for each in command(name).params if option in each.opts)
    if value:
        return [option, value]
    if getattr(parameter, "is_flag", False):
        return [option]
    if isinstance(parameter.type, click.Choice):
        return [option, parameter.type.choices[-1]]
    if isinstance(parameter.type, click.IntRange | click.FloatRange):
        return [option, {"--top-p": "0.5", "--min-p": "0.5"}.get(option, "9")]
    return [option, VALUES.get(option, str(sealed) if isinstance(parameter.type, click.Path) else "9")]


@pytest.fixture(autouse=True)
def nothing_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*words: Any, **options: Any) -> None:
        pytest.fail("it was opened")

    monkeypatch.setattr(sources, "open_source", opened)
    monkeypatch.setattr("edgekit.commands._bundle.folder", opened)
    monkeypatch.setattr("edgekit.holdings.entries", opened)


@pytest.mark.parametrize(("name", "first", "other"), PAIRS)
def test_two_that_exclude_each_other_are_both_named(
    name: str, first: str, other: str, sealed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*name.split(), *[str(sealed) if word == "BUNDLE" else word for word in FIRST[name]]]
    for asked in ([first, other], [other, first]):
        assert commands.main([*words, *[piece for word in asked for piece in typed(name, word, sealed)]]) == 2
        cause, step = capsys.readouterr().err.splitlines()
        assert cause.startswith(f"error: {first} and {other} exclude each other: ")
        assert step == "  next: leave one of them out"


@pytest.mark.parametrize(("name", "word", "needed"), LONE)
def test_one_that_says_nothing_alone_names_what_it_needs(
    name: str, word: str, needed: str, sealed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*name.split(), *[str(sealed) if each == "BUNDLE" else each for each in FIRST[name]]]
    assert commands.main([*words, *typed(name, word, sealed)]) == 2
    cause, step = capsys.readouterr().err.splitlines()
    assert cause.startswith(f"error: {word} says nothing without {needed}, ")
    assert step == f"  next: give {needed} too, or leave it out"


def test_what_is_so_anyhow_excludes_nothing(sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--processes 1` is the default, written out."""
    held = []
    monkeypatch.setattr("edgekit.commands._bundle.folder", lambda *words: held.append(words))
    monkeypatch.setattr("edgekit.devices.open_device", lambda address: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        command("check").main([str(sealed), "--goldens-only", "--processes", "1"], standalone_mode=False)
    assert held
