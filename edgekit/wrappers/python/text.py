"""Text out of tokens while they come: whole characters only, and nothing beyond a stop string."""

from __future__ import annotations

from collections.abc import Callable, Sequence

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
MAX_PENDING = 8  # tokens; a character has 4 bytes at most, so what is unfinished for longer is no character


class Streamer:
    """Decodes tokens one by one into whole characters.

    A token may end inside a character, and how it is written may depend on the one before it (a leading space). So
    each text is the difference between decoding a few tokens with and without the new ones. GenAI's own stream loses
    the letters that follow a broken character.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._shown: list[int] = []  # the tokens of the piece before, for their effect on the next
        self._new: list[int] = []

    def push(self, token: int) -> str:
        """The text that this token completes; empty while a character is unfinished."""
        self._new.append(token)
        before = self._decode(self._shown) if self._shown else ""
        after = self._decode(self._shown + self._new)
        if after.endswith(UNFINISHED) and len(self._new) < MAX_PENDING:
            return ""
        self._shown, self._new = self._new, []
        return after[len(before) :]


class StopHolder:
    """Passes text on, but holds back what may be the beginning of a stop string.

    Attributes:
        stopped: a stop string came; nothing of it or after it was passed on.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self.stopped = False

    def push(self, text: str) -> str:
        """What may be shown now."""
        self._held += text
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.stopped = True
            return self._held[: min(found)]
        keep = max((_overlap(self._held, stop) for stop in self._stops), default=0)
        shown, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return shown

    def finish(self) -> str:
        """What was held back and turned out to be no stop string."""
        shown, self._held = self._held, ""
        return shown


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` may begin `stop`."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)
