"""The stage cache: made once, whole or not at all, damage noticed, pruned by use."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from edgekit import cache

pytestmark = pytest.mark.runtimes


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _slow(root: str, made: str) -> None:
    os.environ["EDGEKIT_CACHE"] = root

    def make(folder: Path) -> None:
        with Path(made).open("a") as log:
            log.write("x")
        time.sleep(0.3)
        (folder / "a.txt").write_text("one")

    cache.produce("optimize", {"n": 1}, make)


def test_two_processes_make_one_result(own_cache: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    made = tmp_path / "made"
    workers = [context.Process(target=_slow, args=(str(own_cache), str(made))) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert made.read_text() == "x"
