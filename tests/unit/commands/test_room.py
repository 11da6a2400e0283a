"""Before a build starts: what has no room on the device that the user names, or on this machine, is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit import commands, plan, target
from edgekit.build import Job
from edgekit.catalog import cards
from edgekit.commands import _room
from edgekit.fit import matrix
from edgekit.sources.source import Source

pytestmark = pytest.mark.unit


def job(name: str, into: str) -> Job:
    card = cards.load(name)
    model, it = matrix.described(card), target.load(into)
    source = Source(ref=name, form="hf", path=Path("nowhere"), model=model, card=card)
    return Job(source, it, plan.make(model, it, card=card), None, {})


def test_a_device_without_room_is_named_with_the_reason() -> None:
    jobs = [job("phi-4", "ios-cpu"), job("smollm2-135m-instruct", "ios-cpu")]
    (line,) = _room.warnings(jobs, _room.asked("iPhone 16", None), None)
    assert line.startswith("phi-4-ios-cpu will not fit Apple iPhone 16 (estimated): ") and "are allowed" in line
    (line,) = _room.warnings(jobs[:1], _room.asked(None, "6GB"), None)
    assert "will not fit the memory given" in line
    assert list(_room.warnings(jobs, _room.asked(None, None), None)) == []


def test_what_is_unknown_is_no_promise() -> None:
    (line,) = _room.warnings([job("phi-4", "android-cpu")], _room.asked("Galaxy S24", None), None)
    assert "may not fit" in line and "give --ram" in line


def test_a_machine_without_room_for_the_build_is_named() -> None:
    jobs = [job("phi-4-mini-instruct", "linux-cpu")]
    (line,) = _room.warnings(jobs, _room.Asked(), 4 * 10**9)
    assert "GB of memory (estimated), this machine has 4.00 GB" in line
    assert list(_room.warnings(jobs, _room.Asked(), 64 * 10**9)) == []
    memory = _room.machine_memory()
    assert memory is not None and memory > 10**8


@pytest.mark.parametrize("words", [["--device", "Pixl 9"], ["--ram", "much"]])
def test_a_wrong_device_or_size_ends_a_build_before_anything_is_opened(words: list[str], tmp_path: Path) -> None:
    assert commands.main(["build", str(tmp_path / "nothing"), "--target", "linux-cpu", *words, "--json"]) == 2
