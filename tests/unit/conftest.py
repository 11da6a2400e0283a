"""A unit test starts no process and imports no engine; one that does fails, whatever it goes on to assert."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import guard

HERE = Path(__file__).parent
guard.install()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """The imports at the top of the files count too."""
    if HERE not in collector.path.parents:
        return (yield)
    with guard.watched():
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Fixtures of every scope count too."""
    if HERE not in item.path.parents:
        return (yield)
    with guard.watched() as done:
        item.stash[DONE] = done
        return (yield)


DONE = pytest.StashKey[list[str]]()


@pytest.fixture(autouse=True)
def no_process_and_no_engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a thread of the test did."""
    yield
    done = request.node.stash[DONE]
    assert not done, done
