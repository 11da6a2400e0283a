"""What is fresh, what is stale and why, without building: the key of each bundle beside the one it was built with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgekit import build as builder
from edgekit import cache
from edgekit.bundle import kept
from edgekit.bundle.read import read
from edgekit.errors import EdgekitError
from edgekit.project.lock import Lock
from edgekit.project.pairs import Pair
from edgekit.project.run import prepared

State = Literal["fresh", "stale", "missing", "refused"]
# What a part of a key is called, in the order in which causes are named; the first that explains others comes first.
WORDS = {
    "source": "the model's bytes",
    "files": "the model's files",
    "model": "what its files say of the model",
    "calibration": "the calibration data",
    "text": "the gate's text",
    "target": "the target",
    "quality": "the quality limits",
    "accepted": "what is accepted, or shipped, as it is",
    "outputs": "how its outputs are read",
    "plan": "the plan",
    "optimize": "a recipe, or its engines",
    "basis": "edgekit's code, or its engines",
}
FOLLOW = {"calibration": ("plan", "optimize"), "source": ("files", "optimize", "plan"), "target": ("plan", "optimize")}


@dataclass(frozen=True)
class Status:
    """A pair's: the state of its bundle, and the reasons."""

    pair: Pair
    state: State
    why: tuple[str, ...] = ()
    error: EdgekitError | None = None


def of(pairs: Sequence[Pair], lock: Lock | None) -> list[Status]:
    """The state of each pair's bundle. Sources are opened (one that was never fetched is fetched), nothing is built."""
    states = []
    for entry in prepared(pairs, lock):
        if entry.job is None:
            assert entry.error is not None
            states.append(Status(entry.pair, "refused", (entry.error.message,), entry.error))
            continue
        key = builder.key_of(entry.job, entry.pair.options)
        if not entry.pair.bundle.exists():
            states.append(Status(entry.pair, "missing", ("it was not built yet",)))
        elif kept.unchanged(entry.pair.bundle, key) is not None:
            states.append(Status(entry.pair, "fresh"))
        else:
            states.append(Status(entry.pair, "stale", tuple(_why(entry.pair, key))))
    return states


def _why(pair: Pair, key: Mapping[str, Any]) -> Iterator[str]:
    """What differs from the build that gave the bundle which is there."""
    try:
        sealed = read(pair.bundle).sha256
    except EdgekitError as error:
        yield error.message
        return
    before = _built_with(sealed)
    if before is None:
        yield "the cache does not know what it was built from"
        return
    now = json.loads(json.dumps(key))
    differ = [name for name in WORDS if before.get(name) != now.get(name)]
    if not differ:
        yield "its files were changed since"
    explained = {after for name in differ for after in FOLLOW.get(name, ())}
    yield from (f"{WORDS[name]} changed" for name in differ if name not in explained)


def _built_with(sealed: str) -> dict[str, Any] | None:
    """The key of the build that gave the bundle of this sha256, where the cache still has it."""
    for record in (cache.root() / "bundle").glob("*/bundle.json"):
        try:
            if json.loads(record.read_text(encoding="utf-8"))["sha256"] == sealed:
                key: dict[str, Any] = json.loads((record.parent / "entry.json").read_text(encoding="utf-8"))["key"]
                return key
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None
