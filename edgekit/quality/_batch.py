"""Greedy answers of a built language model to many prompts at once, in half the time of one after the other.

The engine takes several prompts too, but runs every row until the last has ended: twice the work for SmolLM2, half of
whose answers end within a fifth of the longest. Here what has ended is left out. Prompts are filled up on the right, as
the engine does it: GroupQueryAttention reads each row's length from its mask, and does not look beyond.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.quality._session import LAST_ONLY, Caches, Session, cannot

CACHE_BYTES = 768 * 2**20  # of the keys and values of a batch: decides how many prompts are answered at once
LOGITS_BYTES = 128 * 2**20  # of the prompts that are read at once


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
        rows, best = list(range(len(said))), self._read()
        while True:
            goes_on = []
            for at, (row, token) in enumerate(zip(rows, best.tolist(), strict=True)):
                if token in eos:
                    continue
                said[row].append(token)
                if len(said[row]) < self._most:
                    goes_on.append(at)
            if not goes_on:
                return said
            if len(goes_on) < len(rows):
                rows, best, self._lengths = [rows[at] for at in goes_on], best[goes_on], self._lengths[goes_on]
                self._caches = {name: (output, cache[goes_on]) for name, (output, cache) in self._caches.items()}
            self._lengths = self._lengths + 1
            feed = {"input_ids": best[:, None], "position_ids": self._lengths[:, None] - 1}
            best = self._run(slice(None), feed)[:, -1].argmax(-1)

    def _read(self) -> NDArray[np.int64]:
        """The first token of every answer. All logits of a prompt are made, so a few rows are read at a time."""
        best = []
        step = max(1, LOGITS_BYTES // (int(self._lengths.max()) * self._session.vocabulary * 4))
        for start in range(0, len(self._prompts), step):
            rows = slice(start, start + step)
            lengths, wide = self._lengths[rows], int(self._lengths[rows].max())
            ids = np.array([prompt + [0] * (wide - len(prompt)) for prompt in self._prompts[rows]])
            values = self._run(rows, {"input_ids": ids, "position_ids": np.arange(wide)[None].repeat(len(ids), 0)})
            best.append(values[np.arange(len(ids)), lengths - 1].argmax(-1))
        return np.concatenate(best)

    def _run(self, rows: slice, feed: dict[str, NDArray[np.int64]]) -> NDArray[Any]:
        """The logits after the last of the tokens in the caches, [rows, tokens, vocabulary]."""
        lengths = self._lengths[rows, None]
        mask = (np.arange(int(lengths.max())) < lengths).astype(np.int64)
        caches = {name: (output, cache[rows]) for name, (output, cache) in self._caches.items()}  # the same memory
        values = self._session.in_place(feed | {"attention_mask": mask}, caches)
        if values.shape[1] != feed["input_ids"].shape[1]:
            raise cannot(LAST_ONLY)
        return values
