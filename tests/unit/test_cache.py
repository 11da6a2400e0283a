"""The stage cache: made once, whole or not at all, damage noticed, pruned by use."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from edgekit import cache
from edgekit.errors import BuildError, UsageError

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _write(text: str):
    def make(folder: Path) -> None:
        (folder / "a.txt").write_text(text)

    return make


def test_a_result_is_made_once() -> None:
    first = cache.produce("optimize", {"n": 1}, _write("one"))
    again = cache.produce("optimize", {"n": 1}, _write("two"))
    assert (first.hit, again.hit) == (False, True)
    assert (again.path / "a.txt").read_text() == "one"


def test_another_key_is_another_result() -> None:
    one = cache.produce("optimize", {"n": 1}, _write("one"))
    two = cache.produce("optimize", {"n": 2}, _write("two"))
    assert one.path != two.path


def test_a_failure_leaves_nothing(own_cache: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise BuildError("no")

    with pytest.raises(BuildError):
        cache.produce("optimize", {"n": 1}, fail)
    assert not [path for path in (own_cache / "optimize").iterdir() if path.suffix != ".lock"]


@pytest.mark.parametrize("damage", ["shorter", "other-bytes", "gone", "record"])
def test_a_damaged_result_is_made_again(damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    entry = cache.produce("optimize", {"n": 1}, _write("one"))
    file = entry.path / "a.txt"
    if damage == "shorter":
        file.write_text("")
    elif damage == "other-bytes":
        file.write_text("two")
    elif damage == "gone":
        file.unlink()
    else:
        (entry.path / "entry.json").write_text('{"files": 7')
    again = cache.produce("optimize", {"n": 1}, _write("one"))
    assert not again.hit
    assert file.read_text() == "one"
    assert "damaged" in capsys.readouterr().err


def test_touched_but_equal_bytes_stay_a_hit() -> None:
    entry = cache.produce("optimize", {"n": 1}, _write("one"))
    os.utime(entry.path / "a.txt", (1, 1))  # a clock that went back
    assert cache.produce("optimize", {"n": 1}, _write("one")).hit


def test_leftovers_of_a_killed_build_are_removed(own_cache: Path) -> None:
    entry = cache.produce("optimize", {"n": 1}, _write("one"))
    left = own_cache / "optimize" / f".{entry.path.name}.99999"
    left.mkdir()
    cache.discard(entry.path)
    cache.produce("optimize", {"n": 1}, _write("one"))
    assert not left.exists()


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


def test_lookup_makes_nothing(own_cache: Path) -> None:
    assert cache.lookup("optimize", {"n": 1}) is None
    entry = cache.produce("optimize", {"n": 1}, _write("one"))
    assert cache.lookup("optimize", {"n": 1}) == entry.path


def test_prune_by_age_and_by_size(own_cache: Path) -> None:
    old = cache.produce("optimize", {"n": 1}, _write("x" * 1000))
    new = cache.produce("optimize", {"n": 2}, _write("x" * 1000))
    for path in (old.path, old.path / "entry.json"):
        os.utime(path, (1, 1))
    assert [entry.path for entry in cache.prune(older_than_days=1)] == [old.path]
    assert new.path.exists()
    assert [entry.path for entry in cache.prune(max_bytes=10)] == [new.path]
    assert cache.entries() == []


def test_a_folder_digest_follows_names_and_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a").write_text("1")
    before = cache.path_digest(folder)
    assert cache.path_digest(folder) == before
    (folder / "sub" / "a").rename(folder / "sub" / "b")
    renamed = cache.path_digest(folder)
    (folder / "sub" / "b").write_text("22")
    assert len({before, renamed, cache.path_digest(folder)}) == 3


def test_a_cache_that_cannot_be_made_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    monkeypatch.setenv("EDGEKIT_CACHE", str(blocker / "cache"))
    with pytest.raises(UsageError) as caught:
        cache.produce("optimize", {"n": 1}, _write("one"))
    assert "EDGEKIT_CACHE" in caught.value.next
