"""Which tasks begin beside which others, and what becomes of the rest when one ends a run."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from edgekit import console
from edgekit.project import schedule
from edgekit.project.schedule import Task

pytestmark = pytest.mark.unit


def task(name: str, size: int = 0, needs: str = "", run: Callable[[], None] = lambda: None) -> Task:
    return Task(name, size, run, frozenset(needs))


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
    ],
)
def test_who_begins(waiting: str, running: str, done: str, begins: str) -> None:
    def read(words: str) -> list[Task]:
        return [task(word[0], int(word[1:].partition("/")[0]), word.partition("/")[2]) for word in words.split()]

    chosen = schedule.admitted(read(waiting), read(running), set(done), memory=12, jobs=3)
    assert names(chosen) == begins


@settings(deadline=None)
@drawn(st.lists(st.tuples(st.integers(0, 14), st.booleans()), max_size=8), st.integers(1, 4))
def test_no_drawn_schedule_is_over_its_budget(sizes: list[tuple[int, bool]], jobs: int) -> None:
    """Tasks end in any order; each runs once, after what it needs, and together they stay within memory."""
    waiting = [task(str(at), size, str(at - 1) if linked and at else "") for at, (size, linked) in enumerate(sizes)]
    running: list[Task] = []
    done: set[str] = set()
    order = []
    while waiting or running:
        for each in schedule.admitted(waiting, running, done, memory=12, jobs=jobs):
            waiting.remove(each)
            running.append(each)
            order.append(each.name)
            assert each.needs <= done
        assert running, "it goes on"
        assert len(running) <= jobs and (sum(each.bytes for each in running) <= 12 or len(running) == 1)
        done.add(running.pop(len(order) % len(running)).name)
    assert sorted(order) == sorted(str(at) for at in range(len(sizes)))


def test_tasks_run_beside_one_another_and_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    both = threading.Barrier(2, timeout=30)

    def work() -> None:
        with console.step("meeting"):
            both.wait()

    schedule.run([task("a", run=work), task("b", run=work), task("c", needs="ab")], memory=1, jobs=2)
    told = capsys.readouterr().err
    assert "a: meeting: 0" in told and "b: meeting: 0" in told


def test_one_job_keeps_to_the_order_and_the_thread() -> None:
    order: list[object] = []
    schedule.run([task(name, run=lambda: order.append(threading.current_thread())) for name in "abc"], memory=0, jobs=1)
    assert order == [threading.main_thread()] * 3


def test_what_ends_the_run_begins_nothing_more() -> None:
    begun = []

    def fail() -> None:
        raise ZeroDivisionError

    tasks = [task("a", 9, run=fail), task("b", 9, run=lambda: begun.append("b"))]
    with pytest.raises(ZeroDivisionError):
        schedule.run(tasks, memory=12, jobs=2)
    assert begun == []
