"""Run tasks beside one another, as far as memory and processors allow; each when what it needs is done.

The tasks of a project are its pairs (compile, stage, gate and seal share a workspace, so they are one task) and the
Olive steps that two pairs or more share, which come before these. Sources are opened before: what a pair will take is
known from its model alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass

from edgekit import console, progress, tools


@dataclass(frozen=True)
class Task:
    """A piece of work.

    Attributes:
        name: of its own, for people too.
        bytes: of memory that it takes at most, as predicted.
        run: does it; what it raises ends the whole run.
        needs: names of the tasks that must be done before, which stand before it in the list.
    """

    name: str
    bytes: int
    run: Callable[[], None]
    needs: frozenset[str] = frozenset()


def run(tasks: Sequence[Task], *, memory: int, jobs: int) -> None:
    """Run all tasks, at most `jobs` at once, and only so many that their bytes are within `memory`.

    One that is larger than all of it runs alone. With one job they run in their order, in the caller's own thread.
    """
    if jobs == 1:
        for task in tasks:
            task.run()
        return
    waiting, running, done = list(tasks), dict[Future[None], Task](), set[str]()
    with ThreadPoolExecutor(jobs) as pool, console.step("building"):
        try:
            while waiting or running:
                for task in admitted(waiting, running.values(), done, memory=memory, jobs=jobs):
                    waiting.remove(task)
                    context = copy_context()
                    context.run(progress.who.set, task.name)
                    running[pool.submit(context.run, task.run)] = task
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    done.add(running.pop(future).name)
                    future.result()
        except BaseException:
            with tools.stopped():
                pool.shutdown(cancel_futures=True)
            raise


def admitted(
    waiting: Iterable[Task], running: Collection[Task], done: Collection[str], *, memory: int, jobs: int
) -> list[Task]:
    """Those that may begin now, beside the ones that run."""
    chosen: list[Task] = []
    free = memory - sum(task.bytes for task in running)
    for task in waiting:
        alone = not running and not chosen
        if len(running) + len(chosen) < jobs and task.needs <= set(done) and (task.bytes <= free or alone):
            chosen.append(task)
            free -= task.bytes
    return chosen
