"""Greedy answers of a built language model to many prompts at once, in half the time of one after the other.

The engine takes several prompts too, but runs every row until the last has ended: twice the work for SmolLM2, half of
whose answers end within a fifth of the longest. Here what has ended is left out: GroupQueryAttention reads each row's
length from its mask, and does not look beyond. Prompts are read one by one, behind what all of them begin with: that is
the chat template's, and read once. It is a third of the work of prompts that are filled up to one length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.quality._session import LAST_ONLY, Caches, Session, cannot

CACHE_BYTES = 768 * 2**20  # of the keys and values of a batch: decides how many prompts are answered at once


def answers(session: Session, prompts: Sequence[list[int]], eos: Sequence[int], most: int) -> Iterator[list[int]]:
    """The answer to each prompt in its order, without the end token: at most `most` tokens.

    Raises:
        BuildError: a graph that cannot be run so.
    """
    pasts = session.pasts()
    token = sum(past.shape[1] * past.shape[3] * past.itemsize for _, past in pasts.values())
    size = max(1, CACHE_BYTES // (token * (max(map(len, prompts), default=0) + most)))
    for start in range(0, len(prompts), size):
        yield from _Batch(session, prompts[start : start + size], most).answers(frozenset(eos))


class _Batch:
    """Prompts that are answered together; keys and values of all lie in arrays that the graph reads and writes."""

    def __init__(self, session: Session, prompts: Sequence[list[int]], most: int) -> None:
        self._session, self._prompts, self._most = session, prompts, most
        self._lengths = np.array([len(prompt) for prompt in prompts])  # tokens in each row of the caches
        shape = len(prompts), int(self._lengths.max()) + most
        self._caches: Caches = {
            name: (output, np.zeros((shape[0], past.shape[1], shape[1], past.shape[3]), past.dtype))
            for name, (output, past) in session.pasts().items()
        }

    def answers(self, eos: frozenset[int]) -> list[list[int]]:
        """Read the prompts, then take the likeliest token of every row that has not ended."""
        said: list[list[int]] = [[] for _ in self._prompts]
        best = self._read()
        rows = list(range(len(said)))  # whose answers go on, in the order of the caches
        while rows:
            for at in reversed(range(len(rows))):
                token, answer = int(best[at]), said[rows[at]]
                if token not in eos:
                    answer.append(token)
                if token in eos or len(answer) == self._most:
                    rows[at] = rows[-1]
                    rows.pop()
                    self._move(len(rows), at, best)
            going = slice(len(rows))
            if rows:
                self._lengths[going] += 1
                feed = {"input_ids": best[going, None], "position_ids": self._lengths[going, None] - 1}
                best = self._run(going, self._lengths[going], feed)[:, -1].argmax(-1)
        return said

    def _move(self, at: int, to: int, best: NDArray[np.int64]) -> None:
        """Put what is known of an answer in the place of another's, which has ended."""
        best[to], self._lengths[to] = best[at], self._lengths[at]
        for _, cache in self._caches.values():
            cache[to, :, : self._lengths[to]] = cache[at, :, : self._lengths[at]]

    def _read(self) -> NDArray[np.int64]:
        """The first token of every answer."""
        shared = _common(self._prompts)
        if shared:
            self._tokens(0, self._prompts[0][:shared], 0)
        best = []
        for row, prompt in enumerate(self._prompts):
            for _, cache in self._caches.values():
                cache[row, :, :shared] = cache[0, :, :shared]
            best.append(self._tokens(row, prompt[shared:], shared)[-1].argmax())
        return np.array(best)

    def _tokens(self, row: int, ids: list[int], begin: int) -> NDArray[Any]:
        """The logits of tokens of one row behind the `begin` tokens that its cache holds, [tokens, vocabulary]."""
        feed = {"input_ids": np.array([ids]), "position_ids": np.arange(begin, begin + len(ids))[None]}
        values: NDArray[Any] = self._run(slice(row, row + 1), np.array([begin + len(ids)]), feed)[0]
        return values

    def _run(self, rows: slice, lengths: NDArray[np.int64], feed: dict[str, NDArray[np.int64]]) -> NDArray[Any]:
        """The logits of the last tokens of these rows, of so many tokens then, [rows, tokens, vocabulary]."""
        mask = (np.arange(int(lengths.max())) < lengths[:, None]).astype(np.int64)
        caches = {name: (output, cache[rows]) for name, (output, cache) in self._caches.items()}  # the same memory
        values = self._session.in_place(feed | {"attention_mask": mask}, caches)
        if values.shape[1] != feed["input_ids"].shape[1]:
            raise cannot(LAST_ONLY)
        return values


def _common(prompts: Sequence[list[int]]) -> int:
    """How many tokens all begin with; each has more."""
    least = min(map(len, prompts)) - 1
    same = (len(set(tokens)) == 1 for tokens in zip(*prompts, strict=False))
    return min(least, next((at for at, alike in enumerate(same) if not alike), least))
