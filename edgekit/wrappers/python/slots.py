"""The key-value caches of a language model: prompts are read in pieces, and what a cache holds is not read again."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime_genai as og

from .events import Progress

if TYPE_CHECKING:
    from .llm import LlmBundle

PIECE = 128  # tokens of a prompt that are read at once: a place to stop, and few logits


@dataclass
class Slot:
    """A generator with what it has read.

    Attributes:
        options: of the search, which are fixed for a generator.
        read: the tokens that it was given and those that it chose, the last of these not read yet.
        beyond: its keys are those of a text beyond the border of LongRoPE.
        keeps: it may go on with another prompt.
        reused: tokens that were not read again for the last prompt.
    """

    generator: og.Generator
    options: dict[str, Any]
    read: list[int] = field(default_factory=list)
    beyond: bool = False
    keeps: bool = False
    reused: int = 0

    def append(self, tokens: Sequence[int]) -> None:
        """Read behind what it has read."""
        self.generator.append_tokens(np.asarray(tokens, dtype=np.int32))
        self.read += tokens

    def rewind(self, keep: int) -> None:
        """Forget all but the first tokens."""
        self.generator.rewind_to(keep)
        del self.read[keep:]


@dataclass(frozen=True)
class Start:
    """What a prompt asks of a generator; guidance: the engine keeps the answer to it."""

    ids: list[int]
    new_tokens: int
    options: dict[str, Any]
    guidance: dict[str, Any] = field(default_factory=dict)

    @property
    def alone(self) -> bool:
        """No cache can go on with it: guidance is fixed for a generator, and a seed has gone on."""
        return bool(self.guidance) or "random_seed" in self.options


class Slots:
    """The caches of a bundle.

    Args:
        most: caches that are kept at a time, each of the bundle's max_length; 0 keeps none, and each is as long as its
            text.
        piece: tokens that are read at once.
    """

    def __init__(self, bundle: LlmBundle, most: int, piece: int = PIECE) -> None:
        self._bundle: LlmBundle = weakref.proxy(bundle)  # whose slots these are
        self._most, self._piece = most, piece
        self._idle: list[Slot] = []  # the one that was used last is the last
        self._once = bundle.opened.variant.get("ep") == "dml"  # GenAI takes a prompt in one piece only
        self._rewinds = bundle.window == 1

    @property
    def reuses(self) -> bool:
        """Whether a prompt may go on where another ended."""
        return self._most > 0 and self._rewinds and not self._once

    def open(self, start: Start) -> Slot:
        """A cache that has read no more of the prompt than it held.

        Raises:
            Refused: as `LlmBundle.start` does.
        """
        self._bundle.require_room(start.ids, start.new_tokens)
        slot = self._taken(start) or self._made(start)
        slot.reused = len(slot.read)
        return slot

    def fill(self, slot: Slot, start: Start, stopped: Callable[[], bool]) -> Generator[Progress, None, Slot]:
        """A cache that has read the prompt, or as much of it as it was let: this one, if the engine lets it go on."""
        if slot.reused:
            yield Progress(slot.reused, len(start.ids))
        try:
            yield from self.read(slot, start.ids, stopped)
            return slot
        except RuntimeError as error:
            if "alloc" in str(error).lower() or not slot.read:
                raise
        # It read, but does not read on: from now on each prompt at once.
        self._once = True
        slot = self._made(start)
        try:
            yield from self.read(slot, start.ids, stopped)
        except RuntimeError:  # it was something else
            self._once = False
            raise
        return slot

    def read(self, slot: Slot, ids: Sequence[int], stopped: Callable[[], bool]) -> Generator[Progress, None, None]:
        """Read the rest of a text, piece by piece."""
        while (at := len(slot.read)) < len(ids) and not stopped():
            slot.append(ids[at : self._end_of_piece(at, len(ids))])
            yield Progress(len(slot.read), len(ids))
        slot.beyond = self._is_beyond(len(ids))

    def give_back(self, slot: Slot) -> None:
        """Keep a cache for the next prompt."""
        if slot.keeps and self.reuses:
            del self._idle[: len(self._idle) + 1 - self._most]
            self._idle.append(slot)

    def clear(self) -> int:
        """Drop the caches that no answer uses; how many they were."""
        dropped = len(self._idle)
        self._idle.clear()
        return dropped

    def _taken(self, start: Start) -> Slot | None:
        """A cache that can go on with this prompt, rewound to what they have in common."""
        if not self.reuses or start.alone:
            return None
        best, most = None, 1  # the boundary token is read again, for what comes after it
        for slot in self._idle:
            shared = common(slot.read, start.ids)
            fits = slot.options == start.options and slot.beyond == self._is_beyond(len(start.ids))
            # A text that goes on shares most of what was read; others share a beginning, and may have caches of theirs.
            own = 2 * shared >= len(slot.read) or len(self._idle) >= self._most
            if fits and own and shared > most:
                best, most = slot, shared
        if best is None:
            return None
        self._idle = [slot for slot in self._idle if slot is not best]
        try:
            best.rewind(min(most - 1, len(best.read) - 2))  # 0.14.1 takes no length but that of what it has read
        except RuntimeError:  # a pipeline, a model with pictures
            self._rewinds = False
            return None
        return best

    def _made(self, start: Start) -> Slot:
        keeps = self.reuses and not start.alone
        if self._most:  # room for this one; the least used goes
            del self._idle[: len(self._idle) + 1 - self._most]
        room = self._bundle.max_length if keeps else start.new_tokens
        generator = self._bundle.start(start.ids, room, **start.guidance, **start.options)
        return Slot(generator, start.options, keeps=keeps)

    def _is_beyond(self, length: int) -> bool:
        return self._bundle.reread_beyond is not None and length > self._bundle.reread_beyond

    def _end_of_piece(self, at: int, of: int) -> int:
        if self._once:
            return of
        window = self._bundle.window
        end = at + max(self._piece // window * window, window)
        if self._is_beyond(of):  # it has other keys from its beginning on
            end = max(end, (self._bundle.reread_beyond or 0) + 1)
        return min(end, of)


def common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two texts begin alike."""
    return next(
        (at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )
