"""An answer that is pulled event by event, and ended from any thread."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from time import perf_counter
from typing import Self

from .events import Done, Event, ToolCall
from .generation import Generation


class Run:
    """The events of an answer, the last of them Done. Leaving a `with` block, or a loop over it, ends the answer."""

    def __init__(self, answer: Generation, started_s: float, *, loaded: bool) -> None:
        self._answer, self._started_s, self._loaded = answer, started_s, loaded
        self._events = self._all()
        self._done: Done | None = None

    def next(self) -> Event:
        """The next event; after the last, Done, it comes again."""
        return self._done or next(self._events)

    def cancel(self) -> None:
        """End it, from any thread: at its next token, or behind the piece of the prompt that is being read."""
        self._answer.cancel()

    def close(self) -> None:
        """Leave the rest of it; what was read is kept."""
        self._events.close()

    def __iter__(self) -> Iterator[Event]:
        try:
            yield from self._events
        finally:
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _all(self) -> Generator[Event, None, None]:
        answer = self._answer
        events = answer.events()
        try:
            yield from events
        finally:
            events.close()
        for at, call in enumerate(answer.calls):
            yield ToolCall(f"call-{at}", str(call["name"]), json.dumps(call["arguments"], ensure_ascii=False))
        first, ended = answer.first_token_s, perf_counter()
        gaps = len(answer.tokens) - 1
        self._done = Done(
            answer.reason,
            answer.prompt_tokens,
            len(answer.tokens),
            answer.reused,
            (first - self._started_s) * 1000 if first else None,
            gaps / (ended - first) if first and gaps > 0 else None,
            self._loaded,
            answer.passes,
        )
        yield self._done
