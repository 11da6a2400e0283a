"""A memo of any shape costs time alone: it is set aside, said, and written anew."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit import data, memo
from tests import needs

pytestmark = [pytest.mark.unit, needs.posix]

TEXTS = {
    "nothing": b"",
    "half": b'{"sha256": "ab", "kno',
    "a list": b"[1, 2]",
    "a word": b'"x"',
    "null": b"null",
    "another format": b'{"a": "b"}',
    "a digest of something else": json.dumps({"sha256": "0" * 64, "known": {"a": "b"}}).encode(),
    "known is no table": b'{"sha256": "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945", "known": []}',
    "deep lists": b"[" * 200_000,
    "deep tables": b'{"known":' * 200_000,
    "a long number": b'{"known": ' + b"9" * 10_000 + b"}",
    "no UTF-8": b"\xff\xfe\x00",
    "infinite": b'{"sha256": "", "known": {"a": Infinity}}',
    "half a pair": b'{"sha256": "", "known": {"a": "\\ud800"}}',
}
KINDS: dict[str, Callable[[Path], object]] = {
    "a folder": Path.mkdir,
    "a pipe": lambda path: os.mkfifo(path),
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    **{what: lambda path, text=text: path.write_bytes(text) for what, text in TEXTS.items()},
}


def _remember(path: Path, name: str) -> dict[str, object]:
    with memo.kept(path, 10) as known:
        before = dict(known)
        known[name] = "found out"
    return before


@pytest.mark.parametrize("damage", KINDS.values(), ids=KINDS)
def test_damage_of_any_shape_is_set_aside_and_said(
    damage: Callable[[Path], object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "digests.json"
    for _ in range(2):  # the second meets the first one's remains
        damage(path)
        assert _remember(path, "a") == {}
        assert capsys.readouterr().err.count("digests.json is damaged and set aside as digests.json.damaged") == 1
        assert os.path.lexists(tmp_path / "digests.json.damaged")
        assert _remember(path, "b") == {"a": "found out"}
        assert capsys.readouterr().err == ""
        path.unlink()


@pytest.mark.parametrize("older", ["file", "folder"])
def test_a_folder_in_its_place_is_set_aside_once(
    older: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside what was set aside before, which it cannot replace."""
    path, away = tmp_path / "memo.json", tmp_path / "memo.json.damaged"
    path.mkdir()
    (path / "what").write_text("somebody's")
    away.mkdir() if older == "folder" else away.write_text("older")
    for _ in range(3):
        with memo.kept(path, 10) as known:
            known["a"] = 1
    assert capsys.readouterr().err.count("is damaged and set aside") == 1
    assert [other.read_text() for other in tmp_path.glob("memo.json.damaged.*/what")] == ["somebody's"]
    assert json.loads(path.read_text())["known"] == {"a": 1}


def test_any_changed_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "digests.json"
    _remember(path, "a file")
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert _remember(path, "b") in ({}, {"a file": "found out"})


def test_a_memo_is_read_again_only_where_it_was_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "memo.json"
    with memo.kept(path, 9) as known:
        known["a"] = 1
    read: list[str] = []
    loads = json.loads
    monkeypatch.setattr(json, "loads", lambda text: read.append(text) or loads(text))
    for _ in range(3):
        with memo.kept(path, 9) as known:
            assert known == {"a": 1}
    assert len(read) == 1
    known["mine alone"] = 2
    with memo.kept(path, 9) as known:
        assert known == {"a": 1}
        known["b"] = 2
    with memo.kept(path, 9) as known:
        assert known == {"a": 1, "b": 2}
    assert len(read) == 2


def test_one_within_another_is_the_same_and_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rebuild asks for some thousand digests: a file of all of them, written for each, took ten seconds."""
    path, other = tmp_path / "memo.json", tmp_path / "other.json"
    written: list[str] = []
    plain = data.write_atomic

    def counted(file: Path, text: str) -> None:
        written.append(file.name)
        plain(file, text)

    monkeypatch.setattr(data, "write_atomic", counted)
    with memo.kept(path, 9) as outer:
        for at in range(5):
            with memo.kept(path, 9) as inner, memo.kept(other, 9) as apart:
                assert inner is outer and apart is not outer
                inner[f"a{at}"] = at
                apart[f"b{at}"] = at
    assert written == ["other.json"] * 5 + ["memo.json"]
    with pytest.raises(KeyError), memo.kept(path, 9) as known:
        known["lost"] = 1
        raise KeyError
    with memo.kept(path, 9) as known:
        assert known == {f"a{at}": at for at in range(5)}


def test_an_answer_of_a_tree_is_given_again_until_a_file_below_it_changes(tmp_path: Path) -> None:
    asked: list[str] = []

    @memo.of_tree
    def answer(word: str, *, package: Path) -> dict[str, str]:
        asked.append(word)
        return {path.name: path.read_text(encoding="utf-8") for path in package.rglob("*.py")}

    (tmp_path / "a" / "__pycache__").mkdir(parents=True)
    (tmp_path / "a" / "b.py").write_text("1", encoding="utf-8")
    first = answer("x", package=tmp_path)
    first["mine"] = "alone"
    (tmp_path / "a" / "__pycache__" / "b.pyc").write_bytes(b"")
    assert answer("x", package=tmp_path) == {"b.py": "1"} and asked == ["x"]
    assert answer("y", package=tmp_path) == {"b.py": "1"} and asked == ["x", "y"]
    (tmp_path / "c.py").write_text("2", encoding="utf-8")
    assert answer("x", package=tmp_path) == {"b.py": "1", "c.py": "2"}
    (tmp_path / "c.py").write_text("34", encoding="utf-8")
    assert answer("x", package=tmp_path)["c.py"] == "34"
    (tmp_path / "c.py").unlink()
    assert answer("x", package=tmp_path) == {"b.py": "1"}


def test_threads_that_find_out_at_once_lose_nothing_and_write_the_same_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, both, write = tmp_path / "memo.json", threading.Barrier(2, timeout=30), data.write_atomic
    written: list[Path] = []

    def counted(path: Path, text: str) -> None:
        written.append(path)
        write(path, text)

    def find_out(own: str) -> None:
        with memo.kept(path, 10) as known:
            both.wait()
            known |= {"same": 1, own: 2}

    monkeypatch.setattr(data, "write_atomic", counted)
    for names in (("a", "b"), ("c", "c")):
        threads = [threading.Thread(target=find_out, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with memo.kept(path, 10) as known:
        assert known == {"same": 1, "a": 2, "b": 2, "c": 2}
    assert len(written) == 3, "the second of two that found out the same had nothing to write"
    assert list(tmp_path.iterdir()) == [path]
