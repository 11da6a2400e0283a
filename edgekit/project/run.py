"""Build the pairs of a project: work is shared, one that fails keeps no other from being built, the lock is held.

As many are built at once as memory and processors allow (edgekit.project.schedule). A pair is a task: compile, stage,
gate and seal share a workspace. What is imported is so before, for what a pair will take is known from its model alone;
of pairs that share a step of Olive that the cache lacks, the first is built before the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from edgekit import build as builder
from edgekit import cache, console, optimize, output
from edgekit.build import Built, Job
from edgekit.contract.manifest import Manifest
from edgekit.data import digest
from edgekit.errors import EdgekitError, LockMismatch
from edgekit.jobs import layered
from edgekit.predict import build as predicted
from edgekit.project import lock as locks
from edgekit.project import schedule
from edgekit.project.lock import Lock, Locked
from edgekit.project.pairs import Pair
from edgekit.project.schedule import Task


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
    pairs: Sequence[Pair], home: Path, *, locked: bool = False, jobs: int = 1, memory: int | None = None
) -> list[Outcome]:
    """Build the pairs.

    Args:
        home: the folder of edgekit.toml and edgekit.lock.
        locked: refuse what differs from the lock.
        jobs: pairs that are built at once, at most.
        memory: bytes that they may take together, as predicted; by default what is free now.

    Raises:
        LockMismatch: `locked`, and there is no lock, or it was made with other tools.
    """
    path = home / locks.NAME
    lock = locks.read(path)
    if locked:
        if lock is None:
            raise LockMismatch(f"there is no {locks.NAME} beside edgekit.toml", next=locks.AGAIN)
        locks.check_tools(lock)
    ready = prepared(pairs, lock)
    outcomes: dict[str, Outcome] = {}
    budget = memory or (layered.available_bytes() if jobs > 1 else 0)

    def task(at: int, entry: Ready, needs: frozenset[str]) -> Task:
        def build_it() -> None:
            console.say(f"[{at}/{len(ready)}] {entry.pair.name}")
            outcomes[entry.pair.name] = _outcome(entry, lock, locked)

        return Task(entry.pair.name, _bytes(entry, budget, jobs), build_it, needs)

    after = _after(ready) if jobs > 1 else [frozenset[str]()] * len(ready)
    tasks = [task(at, entry, needs) for at, (entry, needs) in enumerate(zip(ready, after, strict=True), start=1)]
    schedule.run(tasks, memory=budget, jobs=jobs)
    return [outcomes[entry.pair.name] for entry in ready]


def _bytes(ready: Ready, budget: int, jobs: int) -> int:
    """What a pair will take at most, as predicted; nothing of one that is refused."""
    if ready.job is None:
        return 0
    model, plan = ready.job.source.model, ready.job.plan
    if model.llm is None:
        return predicted.tensor(sum(model.weight_bytes_by_op.values()))
    passes = [step["type"] for step in plan.optimize_step(plan.main).config.get("passes", {}).values()]
    taken = predicted.memory(model.parameters, predicted.on_torch(passes))
    if jobs > 1 and taken > budget:
        needs = f"may take {taken / 1e9:.1f} GB of memory (estimated), {budget / 1e9:.1f} GB are free for it"
        console.warn(f"{ready.pair.name} {needs}: nothing is built beside it")
    return taken


def _after(ready: Sequence[Ready]) -> list[frozenset[str]]:
    """For each pair the earlier ones that make a step of Olive which it shares with them, and which the cache lacks."""
    makers: dict[str, str] = {}
    after = []
    for entry in ready:
        steps = [digest(key) for key in _steps(entry.job)] if entry.job is not None else []
        after.append(frozenset(makers[step] for step in steps if step in makers))
        makers = dict.fromkeys(steps, entry.pair.name) | makers
    return after


def _steps(job: Job) -> Iterator[dict[str, Any]]:
    data = job.calibration.sha256 if job.calibration is not None else None
    for variant in job.plan.variants:
        key = optimize.key(job.plan, variant, job.source.model.sha256, data)
        if key["config"] and cache.lookup("optimize", key) is None:
            yield key


def _outcome(ready: Ready, lock: Lock | None, locked: bool) -> Outcome:
    pair, known = ready.pair, lock.bundles.get(ready.pair.name) if lock is not None else None
    try:
        if ready.job is None:
            assert ready.error is not None
            raise ready.error
        held = _Held(pair, ready.job, lock if locked else None)
        built = builder.build(ready.job, pair.options, held.agreed)
        after = held.sealed(built.manifest)
    except EdgekitError as error:
        console.failure(error)
        return Outcome(pair, error=error)
    return Outcome(pair, built, now=after, changed=tuple(locks.differences(known, after)) if known is not None else ())


@dataclass
class _Held:
    """What a pair is made of, held to a lock where there is one."""

    pair: Pair
    job: Job
    lock: Lock | None
    now: Locked | None = None

    def agreed(self, key: dict[str, Any]) -> None:
        """Before it is built."""
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
