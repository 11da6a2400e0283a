"""A schedule measured: what its tasks' processes take together is never over the budget."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from edgekit import tools
from edgekit.project import schedule
from edgekit.project.schedule import Budget, Task

pytestmark = pytest.mark.runtimes

MB = 1_000_000
# Takes so many MB of memory, all of it written, and holds it for a while.
JOB = "import sys, time; held = bytearray(b'x') * (int(sys.argv[1]) * 1_000_000); time.sleep(0.4)"
SLEEPER = "import time; print('{}', flush=True); time.sleep(600)"
PYTHON = 12  # MB of an interpreter


class Peak:
    """The most that the children of this process take together (PSS: shared pages once), and how many there are."""

    def __init__(self) -> None:
        self.bytes = self.processes = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *why: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            sizes = [_pss(child.pid) for child in psutil.Process().children(recursive=True)]
            self.bytes = max(self.bytes, sum(sizes))
            self.processes = max(self.processes, sum(size > 0 for size in sizes))


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def test_a_schedule_stays_within_its_memory() -> None:
    sizes = (80, 80, 30, 80, 30, 30, 80)

    def task(at: int, size: int) -> Task:
        command = [sys.executable, "-I", "-S", "-c", JOB, str(size)]

        def run() -> list[Task]:
            ended.append(tools.run(command, timeout=60).returncode)
            return []

        return Task(str(at), (size + PYTHON) * MB, run)

    ended: list[int] = []
    budget = 2 * (80 + PYTHON) * MB - 1  # two large ones are never together
    with Peak() as peak:
        schedule.run([task(at, size) for at, size in enumerate(sizes)], Budget(budget, 4, 3))
    assert ended == [0] * len(sizes)
    assert 80 * MB < peak.bytes <= budget and peak.processes >= 2


def test_a_run_that_is_interrupted_ends_its_children() -> None:
    def talk(at: int) -> Any:
        folder = Path(tempfile.mkdtemp())
        program = [sys.executable, "-I", "-S", "-c", SLEEPER]
        tools.job(program, {}, folder, timeout=60, what="the child", on_event=lambda event: begun.append(at))

    def interrupt() -> list[Task]:
        while len(begun) < 2:
            time.sleep(0.01)
        raise KeyboardInterrupt

    begun: list[int] = []
    tasks = [Task("a", 0, lambda: talk(0)), Task("b", 0, lambda: talk(1)), Task("c", 0, interrupt)]
    with pytest.raises(KeyboardInterrupt):
        schedule.run(tasks, Budget(1, 3, 3))
    assert psutil.Process().children() == [] and sorted(begun) == [0, 1]
