"""A store behind the cache: what it gives is whole or is made again, and it never stands in the way of a build."""

from __future__ import annotations

import io
import sys
import tarfile
from pathlib import Path

import pytest

from edgekit import cache, store
from edgekit.errors import ToolMissing, UsageError

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty cache and a store in a folder."""
    monkeypatch.setattr(store, "_silent", set())
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "store"))
    return tmp_path


def another_machine(home: Path, monkeypatch: pytest.MonkeyPatch, stores: str = "") -> None:
    """The same store, another cache."""
    monkeypatch.setenv("EDGEKIT_CACHE", str(home / f"cache-{len(list(home.iterdir()))}"))
    monkeypatch.setattr(cache, "_made_here", set())
    if stores:
        monkeypatch.setenv(store.VARIABLE, stores)


def made(text: str, stage: str = "optimize") -> tuple[str, bool]:
    """What a step gives that would write this text, and whether it was there already."""

    def make(folder: Path) -> None:
        (folder / "deep").mkdir()
        (folder / "deep" / "a.txt").write_text(text, encoding="utf-8")

    entry = cache.produce(stage, {"n": 1}, make)
    return (entry.path / "deep" / "a.txt").read_text(encoding="utf-8"), entry.hit


def objects(home: Path) -> list[Path]:
    return sorted((home / "store").rglob("*.tar"))


def test_what_one_machine_makes_another_takes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert made("first") == ("first", False)
    another_machine(home, monkeypatch)
    assert made("second") == ("first", True)
    assert [path for path in (home / "store").rglob("*") if path.is_file()] == objects(home), "nothing half-written"


def test_the_same_step_is_the_same_object(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made("text")
    before = objects(home)[0].read_bytes()
    objects(home)[0].unlink()
    another_machine(home, monkeypatch)
    made("text")
    assert objects(home)[0].read_bytes() == before


def test_a_stage_of_one_machine_stays_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for stage in store.LOCAL:
        made("first", stage)
    assert objects(home) == []


@pytest.mark.parametrize("damage", ["cut", "other bytes", "no archive", "another file", "empty"])
def test_what_is_damaged_is_made_again(home: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    made("first")
    whole = objects(home)[0]
    data = whole.read_bytes()
    whole.write_bytes(_damaged(data, damage))
    another_machine(home, monkeypatch)
    assert made("second") == ("second", False)
    assert made("third") == ("second", True), "and kept"
    another_machine(home, monkeypatch)
    assert made("fourth") == ("second", True), "and the damaged object is replaced"


def test_what_climbs_out_is_not_unpacked(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made("first")
    objects(home)[0].write_bytes(_damaged(objects(home)[0].read_bytes(), "climbs out"))
    another_machine(home, monkeypatch)
    assert made("second")[0] == "first" and not list(home.rglob("outside.txt"))


def _damaged(data: bytes, how: str) -> bytes:
    if how == "cut":
        return data[:1500]
    if how == "other bytes":
        return data.replace(b"first", b"fifth")
    if how in ("no archive", "empty"):
        return b"x" * 2000 if how == "no archive" else b""
    stream = io.BytesIO(data)
    with tarfile.open(fileobj=stream, mode="a") as archive:
        member = tarfile.TarInfo("../../../outside.txt" if how == "climbs out" else "deep/b.txt")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    return stream.getvalue()


def test_a_mirror_is_read_and_never_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made("first")
    another_machine(home, monkeypatch, f"{home / 'own'} ro+{home / 'store'}")
    assert made("second") == ("first", True)
    objects(home)[0].unlink()
    another_machine(home, monkeypatch)
    made("second")
    assert objects(home) == [] and list((home / "own").rglob("*.tar"))


def test_one_that_does_not_answer_is_said_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv(store.VARIABLE, f"{home / 'file'} nosuchprotocol://x {home / 'store'}")
    assert made("first") == ("first", False)
    assert cache.produce("optimize", {"n": 2}, lambda folder: None).hit is False
    assert capsys.readouterr().err.count("does not answer") == 2
    assert len(objects(home)) == 2


@pytest.mark.parametrize(
    "url, package",
    [
        ("s3://b/x", "s3fs"),
        ("gs://b/x", "gcsfs"),
        ("az://b/x", "adlfs"),
        ("abfs://b/x", "adlfs"),
        ("sftp://h/x", "paramiko"),
    ],
)
def test_the_package_of_an_address_is_named_where_it_is_not_installed(
    url: str, package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("s3fs", "gcsfs", "adlfs", "paramiko"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setenv(store.VARIABLE, url)
    with pytest.raises(ToolMissing) as missing:
        made("first")
    assert url in missing.value.message and missing.value.next == f"pip install {package}"


def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.VARIABLE, "ro+")
    with pytest.raises(UsageError, match="is no address"):
        made("first")


def test_a_refreshed_build_takes_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made("first")
    another_machine(home, monkeypatch)
    with cache.session(refresh=True):
        assert made("second") == ("second", False)
