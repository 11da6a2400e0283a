"""Which tasks begin beside which others, and what becomes of the rest when one ends a run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from edgekit.project import schedule
from edgekit.project.schedule import Budget, Task

pytestmark = pytest.mark.unit


def task(name: str, size: int = 0, needs: str = "", cores: int = 1, run: Callable[[], Any] = list) -> Task:
    return Task(name, size, run, frozenset(needs), cores)


def names(tasks: list[Task]) -> str:
    return "".join(each.name for each in tasks)


@pytest.mark.parametrize(
    ("waiting", "running", "done", "begins"),
    [
        ("a8 b8", "", "", "a"),  # two of 8 GB never at once on 12 GB
        ("a8 b4 c1", "", "", "ab"),
        ("a8 b8 c4", "", "", "ac"),  # a small one does not wait behind a large one
        ("a1 b1 c1 d1", "", "", "abc"),  # three at once, at most
        ("a1 b1", "x1 y1", "", "a"),
        ("a20 b1", "", "", "a"),  # larger than all memory: alone
        ("b1 a20", "", "", "b"),
        ("a20", "x1", "", ""),
        ("b1/a c1", "", "", "c"),
        ("b1/a c1", "", "a", "bc"),
        ("a12", "", "", "a"),
        ("a1*2 b1*3 c1*2", "", "", "ac"),  # no more cores than there are
        ("a1*9 b1", "", "", "a"),  # of more cores than there are: all of them
        ("a1*9", "x1", "", ""),
    ],
)
def test_who_begins(waiting: str, running: str, done: str, begins: str) -> None:
    def read(words: str) -> list[Task]:
        return [one_of(word) for word in words.split()]

    def one_of(word: str) -> Task:
        size, _, needs = word[1:].partition("/")
        size, _, cores = size.partition("*")
        return task(word[0], int(size), needs, int(cores or 1))

    chosen = Budget(12, 4, 3).admitted(read(waiting), read(running), set(done))
    assert names(chosen) == begins


@settings(deadline=None)
@drawn(st.lists(st.tuples(st.integers(0, 14), st.booleans(), st.integers(1, 5)), max_size=8), st.integers(1, 4))
def test_no_drawn_schedule_is_over_its_budget(sizes: list[tuple[int, bool, int]], jobs: int) -> None:
    """Tasks end in any order; each runs once, after what it needs, and together they stay within memory and cores."""
    waiting = [
        task(str(at), size, str(at - 1) if linked and at else "", cores)
        for at, (size, linked, cores) in enumerate(sizes)
    ]
    running: list[Task] = []
    done: set[str] = set()
    order = []
    while waiting or running:
        for each in Budget(12, 4, jobs).admitted(waiting, running, done):
            waiting.remove(each)
            running.append(each)
            order.append(each.name)
            assert each.needs <= done
        assert running, "it goes on"
        within = sum(each.bytes for each in running) <= 12 and sum(each.cores for each in running) <= 4
        assert len(running) <= jobs and (within or len(running) == 1)
        done.add(running.pop(len(order) % len(running)).name)
    assert sorted(order) == sorted(str(at) for at in range(len(sizes)))


def test_tasks_run_beside_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    both = threading.Barrier(2, timeout=30)

    def work() -> list[Task]:
        both.wait()
        return []

    schedule.run([task("a", run=work), task("b", run=work), task("c", needs="ab")], Budget(1, 2, 2))
    assert "building" in capsys.readouterr().err


@pytest.mark.parametrize("budget", [Budget(0, 4, 1), Budget(0, 1, 4), Budget(9, 4, 4)])
def test_a_graph_grows_while_it_is_worked_through(budget: Budget) -> None:
    """What follows from a task stands before what was there, where its order says so."""
    seen: list[str] = []
    begun: list[object] = []

    def grown(name: str, order: int, below: list[Task]) -> Task:
        def run() -> list[Task]:
            seen.append(name)
            begun.append(threading.current_thread())
            return below

        return Task(name, 5, run, order=(order,))

    schedule.run([grown("later", 3, []), grown("root", 0, [grown("b", 2, []), grown("a", 1, [])])], budget)
    assert sorted(seen) == ["a", "b", "later", "root"] and seen[0] == "root"
    if min(budget.jobs, budget.cores) == 1:
        assert seen == ["root", "a", "b", "later"] and begun == [threading.main_thread()] * 4


def test_what_ends_the_run_begins_nothing_more() -> None:
    begun: list[str] = []

    def fail() -> list[Task]:
        raise ZeroDivisionError

    def begin() -> list[Task]:
        begun.append("b")
        return []

    with pytest.raises(ZeroDivisionError):
        schedule.run([task("a", 9, run=fail), task("b", 9, run=begin)], Budget(12, 2, 2))
    assert begun == []
