"""`edgekit init`, asking and not, and what `edgekit lock --upgrade` leaves out of account."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from edgekit import commands
from edgekit.project import file, lock, run
from edgekit.project.lock import Lock

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two models in it."""
    for name in ("reader.onnx", "words.gguf"):
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(home: Path) -> tuple[dict[str, str], list[str]]:
    made = file.load(home / file.NAME)
    return {name: entry.source for name, entry in made.models.items()}, list(made.targets)


@pytest.mark.parametrize(
    "answers, models, targets",
    [
        ("\n\n", {"reader": "reader.onnx", "words": "words.gguf"}, ["linux-cpu"]),
        ("reader.onnx pypi:a==1#b/Net.onnx\nlinux-cpu android-cpu\n", None, ["linux-cpu", "android-cpu"]),
    ],
)
def test_it_asks(
    answers: str, models: dict[str, str] | None, targets: list[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(answers))
    assert commands.main(["init"]) == 0
    assert told(home) == (models or {"reader": "reader.onnx", "net": "pypi:a==1#b/Net.onnx"}, targets)


def test_it_takes_what_lies_here_and_keeps_what_is_there(home: Path) -> None:
    assert commands.main(["init", "--yes", "--target", "android-cpu"]) == 0
    assert told(home) == ({"reader": "reader.onnx", "words": "words.gguf"}, ["android-cpu"])
    before = (home / file.NAME).read_bytes()
    assert commands.main(["init", "--yes"]) == 2
    assert (home / file.NAME).read_bytes() == before


def test_an_upgrade_asks_the_hub_anew(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(run, "prepared", lambda pairs, known: asked.append(known) or [])
    assert commands.main(["init", "--yes"]) == 0
    (home / lock.NAME).write_text(lock.text(Lock(tools={})), encoding="utf-8")
    assert commands.main(["lock"]) == 0 and commands.main(["lock", "--upgrade"]) == 0
    assert isinstance(asked[0], Lock) and asked[1] is None
