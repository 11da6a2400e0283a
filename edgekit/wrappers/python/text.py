"""Text out of tokens while they come: whole characters only, and nothing beyond a stop string."""

from __future__ import annotations

from collections.abc import Callable, Sequence

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
MAX_PENDING = 8  # tokens; a character has 4 bytes at most, so what is unfinished for longer is no character

Decode = Callable[[Sequence[int]], str]


def begun(ids: list[int], prefix: list[int]) -> list[int]:
    """The ids of a plain text with the tokens that begin it; never twice."""
    return ids if ids[: len(prefix)] == prefix else [*prefix, *ids]


class Streamer:
    """Decodes tokens one by one into whole characters.

    A token may end inside a character, and how it is written may depend on the one before it (a leading space). So
    each text is the difference between decoding a few tokens with and without the new ones. GenAI ends a text at its
    first broken character, and its own stream loses the letters that follow: here they are decoded without it.

    Args:
        decode: the engine's own; a broken or unfinished character is U+FFFD, what follows it may be missing.
    """

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._shown: list[int] = []  # the tokens of the piece before, for their effect on the next
        self._new: list[int] = []

    def push(self, token: int) -> str:
        """The text that this token completes; empty while a character is unfinished."""
        self._new.append(token)
        text = self._text()
        if not text.endswith(UNFINISHED):
            return self._pass_on(text, self._new)
        for at in range(1, len(self._new)):
            rest = self._decode(self._new[at:])
            if rest and not rest.endswith(UNFINISHED):  # it begins a character, so the one before it is broken
                return self._pass_on(text + rest, self._new[at:])
        return self._pass_on(text, []) if len(self._new) >= MAX_PENDING else ""

    def finish(self) -> str:
        """The text of what is still unfinished, with U+FFFD for its last character."""
        return self._pass_on(self._text(), []) if self._new else ""

    def _text(self) -> str:
        before = self._decode(self._shown) if self._shown else ""
        return self._decode(self._shown + self._new)[len(before) :]

    def _pass_on(self, text: str, shown: list[int]) -> str:
        self._shown, self._new = shown, []
        return text


def whole_text(decode: Decode, ids: Sequence[int]) -> str:
    """All the text of some tokens, where `decode` may end it at a broken character."""
    text = decode(ids)
    if not text.endswith(UNFINISHED):
        return text
    streamer = Streamer(decode)
    return "".join([streamer.push(token) for token in ids]) + streamer.finish()


class StopHolder:
    """Passes text on, but holds back what may be the beginning of a stop string.

    Attributes:
        stopped: a stop string came; nothing of it or after it was or will be passed on.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self.stopped = False

    def push(self, text: str) -> str:
        """What may be shown now."""
        if self.stopped:
            return ""
        self._held += text
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.stopped = True
            shown, self._held = self._held[: min(found)], ""
            return shown
        keep = max((overlap(self._held, stop) for stop in self._stops), default=0)
        shown, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return shown

    def finish(self) -> str:
        """What was held back and turned out to be no stop string."""
        shown, self._held = self._held, ""
        return shown


def overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` may begin `stop`."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)
