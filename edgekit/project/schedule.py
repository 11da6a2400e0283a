"""Run the tasks of a graph beside one another, as far as memory and cores allow; each when what it needs is done.

What a task leads to is often known only when it is done (which pairs a source gives, whether one is unchanged), so a
task gives the tasks that follow it, and the graph grows while it is worked through.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from edgekit import console, tools


@dataclass(frozen=True)
class Task:
    """A piece of work.

    Attributes:
        name: of its own.
        bytes: of memory that it takes at most, as predicted.
        cores: that it keeps busy, as predicted; of a machine with fewer, all.
        run: does it, and gives what can be done next; what it raises ends the whole run.
        needs: names of the tasks that must be done before.
        order: of two that could begin, the lower does.
    """

    name: str
    bytes: int
    run: Callable[[], Sequence[Task]]
    needs: frozenset[str] = frozenset()
    cores: int = 1
    order: tuple[int, ...] = ()


@dataclass(frozen=True)
class Budget:
    """What tasks may take together.

    Attributes:
        memory: bytes.
        cores: of the processor.
        jobs: tasks at once.
    """

    memory: int
    cores: int
    jobs: int

    def admitted(self, waiting: Iterable[Task], running: Collection[Task], done: Collection[str]) -> list[Task]:
        """Those that may begin now, beside the ones that run; one that is larger than all there is runs alone."""
        chosen: list[Task] = []
        memory = self.memory - sum(task.bytes for task in running)
        cores = self.cores - sum(self._cores(task) for task in running)
        for task in waiting:
            fits = task.bytes <= memory and self._cores(task) <= cores and len(running) + len(chosen) < self.jobs
            if task.needs <= set(done) and (fits or not (running or chosen)):
                chosen.append(task)
                memory -= task.bytes
                cores -= self._cores(task)
        return chosen

    def _cores(self, task: Task) -> int:
        return min(task.cores, self.cores)


def run(tasks: Iterable[Task], budget: Budget) -> None:
    """Run all tasks and those that they lead to; where one runs at a time, in the caller's own thread."""
    waiting, done = list(tasks), set[str]()
    if min(budget.jobs, budget.cores) > 1 and len(waiting) > 0:
        _beside(waiting, budget)
        return
    while waiting:
        waiting.sort(key=lambda task: task.order)
        task = budget.admitted(waiting, (), done)[0]
        waiting.remove(task)
        waiting += task.run()
        done.add(task.name)


def _beside(waiting: list[Task], budget: Budget) -> None:
    running, done = dict[Future[Any], Task](), set[str]()
    with ThreadPoolExecutor(min(budget.jobs, budget.cores)) as pool, console.step("building"):
        try:
            while waiting or running:
                waiting.sort(key=lambda task: task.order)
                for task in budget.admitted(waiting, running.values(), done):
                    waiting.remove(task)
                    running[pool.submit(copy_context().run, task.run)] = task
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    done.add(running.pop(future).name)
                    waiting += future.result()
        except BaseException:
            with tools.stopped():
                pool.shutdown(cancel_futures=True)
            raise
