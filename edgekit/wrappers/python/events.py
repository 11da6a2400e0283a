"""What an answer is told in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Of the prompt's `of` tokens `read` are read."""

    read: int
    of: int


@dataclass(frozen=True)
class Text:
    """A piece of the answer; whole characters."""

    text: str


@dataclass(frozen=True)
class Thought:
    """A piece of what the model thinks before it answers."""

    text: str


@dataclass(frozen=True)
class ToolCall:
    """A function that the answer calls; json: its arguments, an object."""

    id: str
    name: str
    json: str


@dataclass(frozen=True)
class Done:
    """The end of an answer.

    Attributes:
        reason: "eos", "stop" (a stop string), "length" (max_tokens), "max_length" (the bundle's limit), "cancelled".
        prompt_tokens, tokens: of the prompt and of the answer, its end token included.
        reused: tokens of the prompt that a cache held.
        ttft_ms: until the first token; None where none came.
        decode_tps: tokens a second after the first; None where there are no two.
        loaded: the model had to be loaded for this.
        passes: of the model for the tokens after the first; None where the answer was not speculated.
    """

    reason: str
    prompt_tokens: int
    tokens: int
    reused: int
    ttft_ms: float | None
    decode_tps: float | None
    loaded: bool
    passes: int | None = None


Event = Progress | Text | Thought | ToolCall | Done
