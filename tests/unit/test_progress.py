"""A step says how far it is: elapsed, done of all, the time left of what it counts, and a line a minute in a log."""

from __future__ import annotations

import threading
from contextvars import Context, copy_context
from typing import Any

import pytest

from edgekit import console, progress
from edgekit.progress import Running

pytestmark = pytest.mark.unit


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ((), "quality, 0:00"),
        (((5, "loading"),), "quality: loading, 0:05"),
        (((0, "answers 0/64"), (10, "answers 16/64")), "quality: answers 16/64, 0:10, 0:30 left"),
        (((0, "downloading x: 0 of 1,000 MB"), (8, "downloading x: 100 of 1,000 MB")), "1,000 MB, 0:08, 1:12 left"),
        (((0, "trial 1 of 10 to 30"), (60, "trial 11 of 10 to 30")), "11 of 10 to 30, 1:00, at most 1:54 left"),
        (((90, "inputs 0/9"), (100, "source: inputs 5/9")), "source: inputs 5/9, 1:40"),  # another phase: no pace yet
        (((0, "inputs 8/8"), (3700, "inputs 8/8")), "inputs 8/8, 1:01:40"),
    ],
)
def test_what_is_left_is_of_what_is_counted_now(told: tuple[tuple[float, str], ...], shown: str) -> None:
    clock = Clock()
    step = Running("quality", clock=clock)
    for seconds, text in told:
        clock.now = 100.0 + seconds
        step.tell(text)
    assert str(step).endswith(shown)


def test_time_goes_on_between_two_words() -> None:
    clock = Clock()
    step = Running("answers", clock=clock)
    for seconds, text in ((0, "0/10"), (10, "5/10")):
        clock.now = 100.0 + seconds
        step.tell(text)
    clock.now = 114.0
    assert str(step) == "answers: 5/10, 0:14, 0:06 left"
    clock.now = 150.0
    assert step.left() == 0


def test_a_step_of_known_length_says_what_is_left_without_a_word() -> None:
    clock = Clock()
    step = Running("measuring", 60.0, clock)
    clock.now = 115.0
    assert str(step) == "measuring, 0:15, 0:45 left"


def test_a_log_gets_a_line_a_minute_of_the_innermost_step(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "MINUTE", 0.01)
    said, several = threading.Event(), []
    real = console.say

    def say(text: str) -> None:
        real(text)
        several.append(text)
        if sum("half 1/2" in line for line in several) > 1:
            said.set()

    monkeypatch.setattr(console, "say", say)
    with console.step("outer"), console.step("inner"):
        console.tick("half 1/2")
        assert said.wait(10)
    lines = capsys.readouterr().err.splitlines()
    assert "inner: half 1/2, 0:00" in lines and not any(line.startswith("outer,") for line in lines)


def test_a_terminal_is_shown_how_far_the_innermost_step_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with console.step("outer"), console.step("inner"):
        console.tick("answers 1/4")
        assert progress._Spun().__rich__().plain.startswith("inner: answers 1/4, 0:0")


def test_several_are_told_apart() -> None:
    """Each has its own innermost step; a spinner says all of them, and not what they are parts of."""
    opened: list[tuple[Context, Any]] = []
    with progress.shown(Running("building"), lambda line: None, None):
        outer = copy_context()
        for name, title in (("a", "staging"), ("b", "sealing")):
            context = copy_context()
            context.run(progress.who.set, name)
            step = progress.shown(context.run(Running, title), lambda line: None, None)
            context.run(step.__enter__)
            opened.append((context, step))
        opened[0][0].run(progress.tell, "3/4")
        assert str(progress._Spun().__rich__()) == "a: staging: 3/4, 0:00; b: sealing, 0:00"
        assert opened[1][0].run(progress.told, "a line") == "b: a line" and outer.run(progress.told, "x") == "x"
        for context, step in opened:
            context.run(step.__exit__, None, None, None)
        assert str(progress._Spun().__rich__()) == "building, 0:00"
