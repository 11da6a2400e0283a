"""How many bits each matrix gets, so that least is lost in so many bytes.

Every matrix has options, each with its bytes and its cost; the costs of matrices add up. What a multiplier on the bytes
would choose (Everett 1963) is taken step by step, the steps that save most cost for each byte first; a step that has no
room any more is left out, and smaller ones behind it are tried.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from edgekit.errors import UsageError

UNITS = {"KB": 1e3, "MB": 1e6, "GB": 1e9}  # of files, as stores and this program's tables count

NEAR = 0.02  # a bundle is at most so much smaller than the size asked for


@dataclass(frozen=True)
class Option:
    """What a matrix may be stored as: its bytes, and what it loses by that."""

    bytes: int
    cost: float


def size(text: str) -> int:
    """Bytes of a size, "130MB" or "2.4GB".

    Raises:
        UsageError: it is no size.
    """
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]B)", text.strip().upper())
    if parts is None or not float(parts[1]):
        raise UsageError(f"{text[:40]!r} is no size of a bundle", next="write 130MB or 2.4GB")
    return int(float(parts[1]) * UNITS[parts[2]])


def refuse(asked: int, smallest: int, largest: int) -> None:
    """Stop at a size that no choice comes near: within it, and less than NEAR below it.

    Raises:
        UsageError: the size asked for is smaller than the smallest, or that much larger than the largest. Bytes.
    """
    if asked < smallest or asked * (1 - NEAR) > largest:
        raise UsageError(
            f"a size of {asked / 1e6:,.1f} MB cannot be reached: from {smallest / 1e6:,.1f} to {largest / 1e6:,.1f} MB",
            next=f"--size {-(-smallest // 10**6) if asked < smallest else largest // 10**6}MB, or another recipe",
        )


def allocate(matrices: Sequence[Sequence[Option]], budget: int) -> list[int]:
    """The option of each matrix, by its place, in at most `budget` bytes; equal input gives equal output.

    Raises:
        ValueError: the smallest choice is larger.
    """
    paths = [_frontier(options) for options in matrices]
    chosen = [path[0] for path in paths]
    room = budget - sum(options[at].bytes for options, at in zip(matrices, chosen, strict=True))
    if room < 0:
        raise ValueError(f"{budget} bytes are not enough, {budget - room} are the least")
    steps = sorted(
        (-_saved(matrices[matrix], before, after), matrix, place)
        for matrix, path in enumerate(paths)
        for place, (before, after) in enumerate(pairwise(path), start=1)
    )
    for _, matrix, place in steps:
        options, path = matrices[matrix], paths[matrix]
        more = options[path[place]].bytes - options[chosen[matrix]].bytes
        if more <= room:
            chosen[matrix] = path[place]
            room -= more
    return chosen


def _saved(options: Sequence[Option], before: int, after: int) -> float:
    """Cost for each byte of a step."""
    return (options[before].cost - options[after].cost) / (options[after].bytes - options[before].bytes)


def _frontier(options: Sequence[Option]) -> list[int]:
    """The lower convex hull of cost over bytes, the smallest option first: what any multiplier would choose."""
    path: list[int] = []
    for at in sorted(range(len(options)), key=lambda at: (options[at].bytes, options[at].cost, at)):
        if path and options[at].cost >= options[path[-1]].cost:
            continue
        while len(path) > 1 and _saved(options, path[-1], at) >= _saved(options, path[-2], path[-1]):
            path.pop()
        path.append(at)
    return path
