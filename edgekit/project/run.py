"""Build the pairs of a project: work is shared, one that fails keeps no other from being built, the lock is held.

The stages of all pairs are one graph (edgekit.project.graph), of which as much is worked on at once as memory and cores
allow (edgekit.project.schedule).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from edgekit import build as builder
from edgekit import console, output
from edgekit.build import Built, Job, Steps
from edgekit.contract.manifest import Manifest
from edgekit.errors import EdgekitError, LockMismatch
from edgekit.project import graph as graphs
from edgekit.project import lock as locks
from edgekit.project.graph import Graph, Line
from edgekit.project.lock import Lock, Locked
from edgekit.project.pairs import Pair


@dataclass(frozen=True)
class Outcome:
    """What became of a pair: a bundle, or why there is none; and what of its lock changed."""

    pair: Pair
    built: Built | None = None
    error: EdgekitError | None = None
    now: Locked | None = None
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ready:
    """A pair whose source is open, or why it is not."""

    pair: Pair
    job: Job | None = None
    error: EdgekitError | None = None


def prepared(pairs: Sequence[Pair], lock: Lock | None, *, read: bool = True) -> list[Ready]:
    """Open every source and plan every pair; a source is opened once for the targets that share its options."""
    ready: list[Ready] = []
    for _, group in groupby(pairs, key=lambda pair: (pair.model, locks.pinned(pair, lock), pair.options)):
        ready += _group(list(group), lock, read)
    return ready


def _group(pairs: list[Pair], lock: Lock | None, read: bool) -> list[Ready]:
    """One model for some targets; where a target is refused, each by itself."""
    first = pairs[0]
    try:
        jobs = builder.prepare(locks.pinned(first, lock), [pair.target for pair in pairs], first.options, read=read)
    except EdgekitError as error:
        if len(pairs) == 1:
            return [Ready(first, error=error)]
        return [entry for pair in pairs for entry in _group([pair], lock, read)]
    return [Ready(pair, _named(job, pair)) for pair, job in zip(pairs, jobs, strict=True)]


def _named(job: Job, pair: Pair) -> Job:
    """The job under the project's name for its model."""
    model = job.source.model.model_copy(update={"name": pair.model})
    return replace(job, source=replace(job.source, model=model), plan=job.plan.model_copy(update={"model": pair.model}))


def build(
    pairs: Sequence[Pair],
    home: Path,
    *,
    locked: bool = False,
    jobs: int | None = None,
    memory: int | None = None,
    cores: int | None = None,
) -> list[Outcome]:
    """Build the pairs.

    Args:
        home: the folder of edgekit.toml and edgekit.lock.
        locked: refuse what differs from the lock.
        jobs: stages that are worked on at once, at most; by default as many as memory and cores allow.
        memory: bytes that they may take together, as predicted; by default what is free now.
        cores: that they may keep busy together, as predicted; by default all of this machine.

    Raises:
        LockMismatch: `locked`, and there is no lock, or it was made with other tools.
    """
    path = home / locks.NAME
    lock = locks.read(path)
    if locked:
        if lock is None:
            raise LockMismatch(f"there is no {locks.NAME} beside edgekit.toml", next=locks.AGAIN)
        locks.check_tools(lock)
    limits = graphs.budget(memory, cores, jobs)
    graph = Graph(limits, named=len(pairs) > 1 and min(limits.cores, limits.jobs) > 1)
    lines: dict[str, tuple[Line, _Held]] = {}

    def opened(group: list[Pair], at: int) -> list[Line]:
        here = []
        for place, ready in enumerate(_group(group, lock, read=True), start=at):
            held = _Held(ready.pair, ready.job, lock if locked else None)
            steps = _steps(ready, held, f"[{place + 1}/{len(pairs)}] {ready.pair.name}")
            line = Line(ready.pair.name, ready.job, steps, place)
            lines[line.name] = line, held
            here.append(line)
        return here

    tasks, at = [], 0
    for _, entries in groupby(pairs, key=lambda pair: (pair.model, locks.pinned(pair, lock), pair.options)):
        group = list(entries)
        tasks.append(graph.opened(group[0].model, _size(group[0].ref), at, partial(opened, group, at)))
        at += len(group)
    graph.run(tasks)
    return [_outcome(pair, *lines[pair.name], lock) for pair in pairs]


def _size(ref: str) -> int:
    """Bytes of a source's files, where it lies on this machine."""
    path = Path(ref)
    files = [path] if path.is_file() else path.rglob("*") if path.is_dir() else ()
    return sum(file.stat().st_size for file in files if file.is_file())


def _steps(ready: Ready, held: _Held, said: str) -> Steps:
    """A pair's stages, or why it has none."""
    console.say(said)
    if ready.job is None:
        assert ready.error is not None
        raise ready.error
    built = yield from builder.stages(ready.job, ready.pair.options, held.agreed)
    held.sealed(built.manifest)
    return built


def _outcome(pair: Pair, line: Line, held: _Held, lock: Lock | None) -> Outcome:
    if line.error is not None or held.now is None:
        return Outcome(pair, error=line.error)
    known = lock.bundles.get(pair.name) if lock is not None else None
    changed = tuple(locks.differences(known, held.now)) if known is not None else ()
    return Outcome(pair, line.built, now=held.now, changed=changed)


@dataclass
class _Held:
    """What a pair is made of, held to a lock where there is one."""

    pair: Pair
    job: Job | None
    lock: Lock | None
    now: Locked | None = None

    def agreed(self, key: dict[str, Any]) -> None:
        """Before it is built."""
        assert self.job is not None
        self._set(locks.locked(self.pair, self.job, key))

    def sealed(self, manifest: Manifest) -> Locked:
        """After it was built."""
        assert self.now is not None
        return self._set(locks.sealed(self.now, manifest))

    def _set(self, now: Locked) -> Locked:
        if self.lock is not None:
            locks.check(self.pair, self.lock, now)
        self.now = now
        return now


def write_lock(home: Path, project: Sequence[Pair], outcomes: Sequence[Outcome]) -> bool:
    """Write edgekit.lock with what was built; True where it changed.

    Args:
        project: all pairs of the project; those that were not built now keep their lines.
    """
    path = home / locks.NAME
    built = {entry.pair.name: entry.now for entry in outcomes if entry.now is not None}
    before = locks.read(path)
    after = locks.merged(before, built, {pair.name for pair in project})
    if not built or after == before:
        return False
    output.write(path, locks.text(after))
    return True
