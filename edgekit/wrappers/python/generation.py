"""From the tokens of an answer to its text, its thoughts and its calls, piece by piece."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from . import functions, speculation
from .answers import LEAST, Part, Splitter
from .events import Progress, Text, Thought
from .slots import Slot, Slots, Start
from .text import UNFINISHED, StopHolder

if TYPE_CHECKING:
    from .llm import LlmBundle


@dataclass(frozen=True)
class Shape:
    """How an answer is cut and drawn: its stop strings, thoughts and form of calls; reach: as Sampling has it."""

    holder: StopHolder
    splitter: Splitter
    form: str | None
    reach: float | None


class Generation:
    """An iterator of text pieces; whole characters only, and nothing of thoughts and calls.

    Attributes:
        prompt_tokens: length of the prompt.
        reused: those of them that a cache held.
        tokens: the ids generated so far, the end token included.
        reason: why it ended: "eos", "stop" (a stop string), "length" (max_tokens), "max_length" (the bundle's limit),
            "cancelled".
        first_token_s: when the first token came, by time.perf_counter.
        calls: at the end, the functions that the answer calls: {"name", "arguments"}.
        passes: at the end, of the model for the answer's tokens after the first; None without speculation, where each
            token takes one.
    """

    def __init__(self, bundle: LlmBundle, slots: Slots, start: Start, shape: Shape) -> None:
        self.prompt_tokens = len(start.ids)
        self.tokens: list[int] = []
        self.reason = ""
        self.first_token_s: float | None = None
        self.calls: list[functions.Call] = []
        self.passes: int | None = None
        self._bundle, self._slots, self._start, self._shape = bundle, slots, start, shape
        self._may_call = functions.CallHolder(shape.form)
        self._cancelled = False
        self._slot = slots.open(start)
        self._events = self._run()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return next(event.text for event in self._events if isinstance(event, Text))

    def parts(self) -> Iterator[Part]:
        """The pieces with what each is of: ("thought" | "text", piece)."""
        for event in self._events:
            if not isinstance(event, Progress):
                yield ("thought" if isinstance(event, Thought) else "text"), event.text

    def events(self) -> Generator[Progress | Text | Thought, None, None]:
        """The pieces, and before them what is read of the prompt."""
        return self._events

    def cancel(self) -> None:
        """End it at its next token, or behind the piece of the prompt that is being read. From any thread."""
        self._cancelled = True

    @property
    def reused(self) -> int:
        return self._slot.reused

    def _run(self) -> Generator[Progress | Text | Thought, None, None]:
        """The parts of the answer that are shown; the cache is given back also where nobody reads to the end."""
        holder = self._shape.holder
        try:
            self._slot = yield from self._slots.fill(self._slot, self._start, lambda: self._cancelled)
            guesses = speculation.NAME in self._start.options
            before = speculation.passes(self._slot.generator) if guesses else 0
            for kind, piece in self._cut():
                if kind == "thought":
                    yield Thought(piece)
                    continue
                shown = self._may_call.push(holder.push(piece))
                if holder.stopped:
                    self.reason = "stop"
                if shown:
                    yield Text(shown)
            self.passes = speculation.passes(self._slot.generator) - before if guesses else None
        except RuntimeError:  # nobody knows what it holds
            self._slot.keeps = False
            raise
        finally:
            self._slots.give_back(self._slot)
        rest = self._may_call.push(holder.finish())
        self.calls = functions.calls_in(self._may_call.held, self._shape.form)
        if rest := rest + ("" if self.calls else self._may_call.held):
            yield Text(rest)
        if not self.reason and self._cancelled:
            self.reason = "cancelled"
        self.reason = self.reason or ("length" if len(self.tokens) >= self._start.new_tokens else "max_length")

    def _cut(self) -> Iterator[Part]:
        """The whole answer in thoughts and text."""
        bundle, slot, splitter = self._bundle, self._slot, self._shape.splitter
        streamer = bundle.streamer()
        thinking = bundle.thinking or {}
        while not self._ended(slot):
            token = self._next(slot)
            mark = bundle.marks.get(token)
            if token in bundle.eos_token_ids:
                self.reason = "eos"
            elif mark is None:
                yield from splitter.push(streamer.push(token))
            else:
                yield from splitter.push(streamer.finish())
                streamer = bundle.streamer()
                turns = mark in (thinking.get("begin"), thinking.get("end"))
                yield from splitter.turn(mark == thinking["begin"]) if turns else splitter.push(mark)
            anew = not self.reason and bundle.crosses(len(slot.read) - 1, len(slot.read))
            if anew and not self._start.guidance:
                whole = list(slot.read)
                slot.rewind(0)
                for _ in self._slots.read(slot, whole, lambda: self._cancelled):
                    pass
        yield from splitter.push(streamer.finish().removesuffix(UNFINISHED))
        yield from splitter.finish()

    def _ended(self, slot: Slot) -> bool:
        full = len(self.tokens) >= self._start.new_tokens or len(slot.read) >= self._bundle.max_length
        return bool(self.reason or self._cancelled or full or slot.generator.is_done())

    def _next(self, slot: Slot) -> int:
        """Choose a token."""
        generator = slot.generator
        if self._shape.reach is not None:
            logits = np.array(generator.get_logits(), dtype=np.float32)
            logits[logits < logits.max() - self._shape.reach] = LEAST
            generator.set_logits(logits)
        generator.generate_next_token()
        token = int(generator.get_next_tokens()[0])
        slot.read.append(token)
        self.tokens.append(token)
        self.first_token_s = self.first_token_s or perf_counter()
        return token
