"""How far a step is, in words: what it does now, how long it has taken, and how long what it counts will take still."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar, copy_context
from typing import Any

COUNT = re.compile(r"(\d[\d,.]*)(?:/| of )(\d[\d,.]*)(?: to (\d[\d,.]*))?")
MINUTE = 60.0  # seconds between two lines of a log
who: ContextVar[str] = ContextVar("edgekit_progress_who", default="")  # whose steps these are, where several go on


class Running:
    """A step that runs.

    Args:
        title: its name.
        seconds: how long it takes in all, where that is known beforehand.
        clock: seconds of a clock that only goes forward.
    """

    def __init__(self, title: str, seconds: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.title, self._seconds, self._clock = title, seconds, clock
        self._began, self._text = clock(), ""
        self.who = who.get()
        self._phase: str | None = None
        self._first = self._last = (0.0, 0.0)  # when, and how much was done

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return self._clock() - self._began

    def tell(self, text: str) -> None:
        """What it does now; "12/64", "12 of 64" and "12 of 10 to 64" in it say how much of that is done."""
        self._text, now = text, self._clock()
        done = _number(count[1]) if (count := COUNT.search(text)) else 0.0
        if (phase := COUNT.sub("", text)) != self._phase:
            self._phase, self._first = phase, (now, done)
        self._last = (now, done)

    def left(self) -> float | None:
        """Seconds that the whole, or what is counted now, will take still at its pace so far; None where none shows."""
        if self._seconds is not None:
            return max(0.0, self._seconds - self.elapsed)
        (began, before), (last, done) = self._first, self._last
        count = COUNT.search(self._text)
        if count is None or done <= before:
            return None
        ahead = (last - began) * (_number(count[3] or count[2]) - done) / (done - before)
        return max(0.0, ahead - (self._clock() - last))

    def __str__(self) -> str:
        told = ": ".join(filter(None, (self.title, self._text)))
        left = self.left()
        count = COUNT.search(self._text) if self._seconds is None else None
        most = "at most " if count and count[3] else ""  # it may end before
        return f"{told}, {_clocked(self.elapsed)}" + (f", {most}{_clocked(left)} left" if left is not None else "")


_steps: list[Running] = []  # that are shown, the innermost last


def told(text: str) -> str:
    """A line with whose it is before it."""
    return f"{who.get()}: {text}" if who.get() else text


def tell(text: str) -> bool:
    """What the innermost step does now; false where none runs that is shown."""
    if here := _innermost().get(who.get()):
        here.tell(text)
    return here is not None


def _innermost() -> dict[str, Running]:
    """By whose it is, the step that is shown."""
    return {step.who: step for step in _steps}


@contextmanager
def shown(
    here: Running, say: Callable[[str], None], spinner: Callable[[Any], AbstractContextManager[Any]] | None
) -> Iterator[Running]:
    """A step while it is shown: of several, the innermost.

    Args:
        say: prints a line.
        spinner: of a terminal, shows what it is given for as long as it is open; None of a log.
    """
    if spinner is None or _steps:
        say(f"{here.title} ...")
    showing = spinner(_Spun()) if spinner is not None and not _steps else nullcontext()
    ours = copy_context()

    def again() -> None:
        if here is _innermost()[here.who]:
            ours.run(say, str(here))

    minutes = every(MINUTE, again) if not spinner else nullcontext()
    _steps.append(here)
    try:
        with showing, minutes:
            yield here
    finally:
        _steps.remove(here)


class _Spun:
    """What a spinner says, anew at each of its turns."""

    def __rich__(self) -> Any:
        from rich.text import Text

        shown = _innermost()
        several = [f"{name}: {step}" for name, step in shown.items() if name]
        return Text("; ".join(several) or "".join(map(str, shown.values())))


@contextmanager
def every(seconds: float, do: Callable[[], None]) -> Iterator[None]:
    """Do something again and again while this block runs; what it raises is passed over."""
    ended = threading.Event()

    def again() -> None:
        while not ended.wait(seconds):
            with suppress(Exception):  # as of a standard error that has gone: the command meets that at its next line
                do()

    thread = threading.Thread(target=again, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _number(text: str) -> float:
    return float(text.replace(",", "").rstrip(".") or 0)


def _clocked(seconds: float) -> str:
    """65 is "1:05"."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
