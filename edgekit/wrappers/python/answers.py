"""How an answer is drawn, and what in it is thought and what is text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import log
from typing import Any, Literal

from .text import overlap

Part = tuple[Literal["thought", "text"], str]
LEAST = -1e9  # the logit of a token that is not to be drawn


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen: greedily at temperature 0, else drawn. None is the engine's own."""

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None

    @classmethod
    def of(cls, stated: Mapping[str, Any], **asked: Any) -> Sampling:
        """What was asked for, and for what was not, what the bundle's contract states."""
        told = {field.name: asked.get(field.name) for field in fields(cls)}
        kept = {name: stated.get(name) if value is None else value for name, value in told.items()}
        return cls(**{name: value for name, value in kept.items() if value is not None})

    def options(self) -> dict[str, Any]:
        """The search options of GenAI."""
        penalty = 1.0 if self.repetition_penalty is None else self.repetition_penalty
        if self.temperature <= 0:
            return {"do_sample": False, "repetition_penalty": penalty}
        named = {"top_k": self.top_k, "top_p": self.top_p, "random_seed": self.seed}
        drawn = {"do_sample": True, "temperature": self.temperature, "repetition_penalty": penalty}
        return drawn | {name: value for name, value in named.items() if value is not None}

    @property
    def reach(self) -> float | None:
        """How far below the best logit one may be drawn, which GenAI has no option for; None for any."""
        return -self.temperature * log(self.min_p) if self.min_p and self.temperature > 0 else None


class Splitter:
    """Cuts an answer into thoughts and text.

    Args:
        begin, end: the words around a thought; empty where tokens say it, by `turn`.
        inside: the prompt has begun a thought.
    """

    def __init__(self, begin: str = "", end: str = "", *, inside: bool = False) -> None:
        self._marks = {False: begin, True: end}
        self._inside = inside
        self._fresh = False  # nothing but line ends since the last turn
        self._held = ""

    def turn(self, inside: bool) -> list[Part]:
        """A token says that a thought begins or ends here; what was held back before it."""
        rest = self.finish()
        self._inside, self._fresh = inside, True
        return rest

    def push(self, text: str) -> list[Part]:
        """What is known now to be thought or text."""
        self._held += text
        parts: list[Part] = []
        while (mark := self._marks[self._inside]) and mark in self._held:
            before, _, self._held = self._held.partition(mark)
            parts += self._part(before)
            self._inside, self._fresh = not self._inside, True
        keep = overlap(self._held, mark) if mark else 0
        shown, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return parts + self._part(shown)

    def finish(self) -> list[Part]:
        """What was held back and turned out to be no mark."""
        shown, self._held = self._held, ""
        return self._part(shown)

    def _part(self, text: str) -> list[Part]:
        if self._fresh:
            text = text.lstrip("\n")
            self._fresh = not text
        return [("thought" if self._inside else "text", text)] if text else []
