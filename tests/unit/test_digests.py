"""Remembered digests: other bytes of one size and mtime are seen, and unchanged ones are read once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit import cache, data, digests
from edgekit.errors import SourceError

pytestmark = pytest.mark.unit

OLD, NEW = b"old bytes", b"new bytes"  # of one size
CLAMPED = (315532800, 315532800)  # 1980-01-01, the oldest that a zip knows


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is old enough to be remembered: a minute passed since it was written."""
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 60 * 10**9)


def _dated(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    os.utime(path, CLAMPED)
    return path


def _in_place(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.write(NEW)


def _renamed_over(path: Path) -> None:
    _dated(path.with_name("other"), NEW).rename(path)


def _unpacked_over(path: Path) -> None:
    path.unlink()
    path.write_bytes(NEW)


def _linked(path: Path) -> None:
    (path.parent / "twin").hardlink_to(path)
    _in_place(path.parent / "twin")


def _linked_over(path: Path) -> None:
    _dated(path.with_name("other"), NEW)
    path.unlink()
    path.hardlink_to(path.with_name("other"))


def _pointed_elsewhere(path: Path) -> None:
    _dated(path.with_name("other"), NEW)
    path.unlink()
    path.symlink_to("other")


TAMPERING = [_in_place, _renamed_over, _unpacked_over, _linked, _linked_over, _pointed_elsewhere]
each_tampering = pytest.mark.parametrize("tamper", TAMPERING, ids=lambda tamper: tamper.__name__.strip("_"))


@each_tampering
@pytest.mark.usefixtures("settled")
def test_other_bytes_of_one_size_and_date_are_another_digest(tmp_path: Path, tamper: Callable[[Path], None]) -> None:
    path = _dated(tmp_path / "model", OLD)
    assert digests.path_digest(path) == data.file_digest(path)
    time.sleep(0.02)  # the clock of a file's times ticks every few milliseconds
    tamper(path)
    os.utime(path, CLAMPED)
    assert path.stat().st_size == len(OLD)
    assert digests.path_digest(path) == data.file_digest(path)


@each_tampering
def test_a_cached_result_with_other_bytes_of_one_size_and_date_is_made_again(
    tamper: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(folder: Path) -> None:
        _dated(folder / "model", OLD)

    entry = cache.produce("optimize", {"n": 1}, make)
    assert cache.produce("optimize", {"n": 1}, make).hit
    time.sleep(0.02)
    tamper(entry.path / "model")
    os.utime(entry.path / "model", CLAMPED)
    assert not cache.produce("optimize", {"n": 1}, make).hit
    assert (entry.path / "model").read_bytes() == OLD


def test_a_file_added_to_a_cached_result_is_seen() -> None:
    entry = cache.produce("optimize", {"n": 1}, lambda folder: None)
    (entry.path / "added").write_bytes(NEW)
    assert cache.lookup("optimize", {"n": 1}) is None


def test_a_file_younger_than_the_grain_is_never_remembered(own_cache: Path, tmp_path: Path) -> None:
    path = _dated(tmp_path / "model", OLD)  # its mtime is old, its ctime is now
    digests.path_digest(path)
    assert not (own_cache / "digests.json").exists()


@pytest.mark.usefixtures("settled")
def test_an_old_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _dated(tmp_path / "model", OLD)
    first = digests.path_digest(path)
    monkeypatch.setattr(data, "file_digest", lambda path: pytest.fail("read again"))
    assert digests.path_digest(path) == first


@pytest.mark.usefixtures("settled")
def test_a_file_that_changes_while_it_is_read_is_not_remembered(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _dated(tmp_path / "model", OLD)
    real = data.file_digest

    def changed(path: Path) -> str:
        sha256 = real(path)
        path.write_bytes(NEW + NEW)
        return sha256

    monkeypatch.setattr(data, "file_digest", changed)
    digests.path_digest(path)
    assert not (own_cache / "digests.json").exists()


def test_a_damaged_memo_costs_only_time(own_cache: Path, tmp_path: Path) -> None:
    path = _dated(tmp_path / "model", OLD)
    own_cache.mkdir()
    for text in ("[]", "{", "7"):
        (own_cache / "digests.json").write_text(text)
        assert digests.path_digest(path) == data.file_digest(path)


@each_tampering
def test_a_snapshot_sees_every_tampering(tmp_path: Path, tamper: Callable[[Path], None]) -> None:
    path = _dated(tmp_path / "model", OLD)
    taken = digests.snapshot(path, what="the model")
    taken.check()
    tamper(path)
    os.utime(path, CLAMPED)
    with pytest.raises(SourceError, match="the model changed"):
        taken.check()


def _added(folder: Path) -> None:
    (folder / "deep" / "new").write_bytes(NEW)


def _removed(folder: Path) -> None:
    (folder / "a").unlink()


def _moved(folder: Path) -> None:
    (folder / "a").rename(folder / "b")


def _there_and_back(folder: Path) -> None:
    time.sleep(0.02)
    (folder / "a").write_bytes(NEW)
    (folder / "a").write_bytes(OLD)


def _gone(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def _appeared(folder: Path) -> None:
    folder.with_name("absent").write_bytes(NEW)


@pytest.mark.parametrize("change", [_added, _removed, _moved, _there_and_back, _gone, _appeared])
def test_a_snapshot_of_a_folder_sees_what_comes_and_goes(tmp_path: Path, change: Callable[[Path], None]) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "a").write_bytes(OLD)
    taken = digests.snapshot(folder, tmp_path / "absent", what="the model")
    taken.check()
    change(folder)
    with pytest.raises(SourceError) as caught:
        taken.check()
    assert caught.value.exit_code == 4
    assert caught.value.next


def test_reading_and_hidden_files_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(OLD)
    taken = digests.snapshot(tmp_path, what="the model")
    (tmp_path / "a").read_bytes()
    (tmp_path / ".hidden").write_bytes(NEW)
    os.utime(tmp_path, CLAMPED)
    taken.check()
