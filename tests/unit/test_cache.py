"""The stage cache: made once, whole or not at all, damage noticed, pruned by use."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from edgekit import cache, commands, digests, holdings
from edgekit.commands.cache import remove
from edgekit.errors import BuildError, SourceError, UsageError
from tests import needs

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


@needs.posix
@pytest.mark.parametrize(
    "kind", ["a file", "a pipe", "a link to nowhere", "a record of many lists", "a record that is a folder"]
)
def test_an_entry_of_any_shape_is_made_again(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    entry = cache.produce("optimize", {"n": 1}, _write("one")).path
    record = entry / "entry.json"
    if kind.startswith("a record"):
        record.unlink()
        record.mkdir() if kind.endswith("folder") else record.write_text("[" * 200_000)
    else:
        cache.discard(entry)
        {"a file": Path.touch, "a pipe": os.mkfifo, "a link to nowhere": lambda path: path.symlink_to("nowhere")}[kind](
            entry
        )
    assert [info.key for info in holdings.entries()] == [entry.name]
    assert cache.lookup("optimize", {"n": 1}) is None
    assert not cache.produce("optimize", {"n": 1}, _write("one")).hit
    assert "a cached result was damaged and is made again" in capsys.readouterr().err
    assert cache.produce("optimize", {"n": 1}, _write("two")).hit


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


def test_lookup_makes_nothing(own_cache: Path) -> None:
    assert cache.lookup("optimize", {"n": 1}) is None
    entry = cache.produce("optimize", {"n": 1}, _write("one"))
    assert cache.lookup("optimize", {"n": 1}) == entry.path


def test_prune_by_age_and_by_size(own_cache: Path) -> None:
    old = cache.produce("optimize", {"n": 1}, _write("x" * 1000))
    new = cache.produce("optimize", {"n": 2}, _write("x" * 1000))
    for path in (old.path, old.path / "entry.json"):
        os.utime(path, (1, 1))
    assert [entry.path for entry in remove(older_than_days=1)] == [old.path]
    assert new.path.exists()
    assert [entry.path for entry in remove(max_bytes=10)] == [new.path]
    assert holdings.entries() == []


def test_the_command_removes_by_age_and_by_size(own_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new, kept = (cache.produce("optimize", {"n": at}, _write("x" * 10_000)).path for at in range(3))
    for days, path in ((9, old), (2, new)):
        used = time.time() - days * 86400
        for each in (path, path / "entry.json"):
            os.utime(each, (used, used))
    for words, gone in ((["gc", "--older-than", "5"], old), (["prune", "--max-size", "15kB"], new)):
        assert commands.main(["cache", *words, "--json"]) == 0
        removed = json.loads(capsys.readouterr().out)["data"]["entries"]
        assert [entry["path"] for entry in removed] == [str(gone)] and not gone.exists()
    assert kept.exists()


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


def test_refresh_takes_nothing_and_says_where_bytes_differ(capsys: pytest.CaptureFixture[str]) -> None:
    cache.produce("optimize", {"n": 1}, _write("one"), what="a model")
    with cache.session(refresh=True):
        assert cache.lookup("optimize", {"n": 1}) is None
        assert not cache.produce("optimize", {"n": 1}, _write("one"), what="a model").hit
        assert "a model: made again, and equal to what was there" in capsys.readouterr().err
        assert cache.produce("optimize", {"n": 1}, _write("one"), what="a model").hit  # what this session made
        with cache.session():
            assert cache.produce("optimize", {"n": 1}, _write("one"), what="a model").hit
    with cache.session(refresh=True):
        cache.produce("optimize", {"n": 1}, _write("two"), what="a model")
        assert "differs from what was there in a.txt" in capsys.readouterr().err
    entry = cache.produce("optimize", {"n": 1}, _write("three"))
    assert entry.hit and (entry.path / "a.txt").read_text() == "two"


def test_a_failed_refresh_leaves_what_was_there() -> None:
    def fail(folder: Path) -> None:
        raise BuildError("no")

    cache.produce("optimize", {"n": 1}, _write("one"))
    with cache.session(refresh=True), pytest.raises(BuildError):
        cache.produce("optimize", {"n": 1}, fail)
    assert cache.produce("optimize", {"n": 1}, _write("two")).hit


def test_what_is_distrusted_is_made_again_once() -> None:
    old = cache.produce("optimize", {"n": 1}, _write("one"))
    with cache.session() as used:
        cache.produce("optimize", {"n": 1}, _write("two"))
        cache.produce("optimize", {"n": 2}, _write("one"))  # its own
        cache.produce("import", {"n": 1}, _write("one"))
    assert used.suspects() == {old.path}
    with cache.session(distrusted=used.suspects()):
        assert not cache.produce("optimize", {"n": 1}, _write("two")).hit
    with cache.session() as again:
        assert (cache.produce("optimize", {"n": 1}, _write("three")).path / "a.txt").read_text() == "two"
    assert again.suspects() == frozenset()


def test_nothing_is_kept_of_a_source_that_changed(tmp_path: Path) -> None:
    source = tmp_path / "model"
    source.write_text("one")
    taken = digests.snapshot(source, what="the model")

    def make(folder: Path) -> None:
        source.write_text("two")
        raise BuildError("the engine could not read it")

    with pytest.raises(SourceError, match="the model changed"):
        cache.produce("optimize", {"n": 1}, make, read=[taken])
    assert holdings.entries() == []
