"""edgekit.lock: differences by name, what is kept, what cannot be read; states and their reasons."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit import target
from edgekit.build import Options
from edgekit.errors import PRECEDENCE, LockMismatch
from edgekit.project import lock
from edgekit.project.lock import Lock, Locked
from edgekit.project.pairs import Pair

pytestmark = pytest.mark.unit

ONE = Locked(
    asked="hf:org/net",
    source="hf:org/net@" + "c" * 40,
    model="a" * 64,
    target="b" * 64,
    recipe={"portable": "int8 x"},
    plan="d" * 64,
    code="e" * 64,
    bundle="f" * 64,
)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair("net", "hf:org/net", target.load("linux-cpu"), Options(out=tmp_path))


@pytest.mark.parametrize("name", sorted(set(Locked.model_fields) - {"recipe", "steps"}))
def test_every_difference_is_named(pair: Pair, name: str) -> None:
    other = ONE.model_copy(update={name: "0" * 64})
    told = lock.differences(ONE, other)
    assert len(told) == 1 and lock.WORDS[name] in told[0] and "000000000000" in told[0]
    with pytest.raises(LockMismatch, match=lock.WORDS[name]) as caught:
        lock.check(pair, Lock(tools={}, bundles={pair.name: ONE}), other)
    assert caught.value.exit_code == 12


def test_the_step_whose_bytes_differ_is_named(pair: Pair) -> None:
    steps = {"optimize": "1", "gate": "2", "goldens": "3"}
    built = ONE.model_copy(update={"steps": steps})
    other = built.model_copy(update={"bundle": "0" * 64, "steps": steps | {"gate": "4"}})
    with pytest.raises(LockMismatch, match=r"the bundle .*; what the gate found, in floats that depend on the CPU$"):
        lock.check(pair, Lock(tools={}, bundles={pair.name: built}), other)
    assert lock.differences(ONE, built) == lock.differences(built, ONE) == [], "one of before a build has none"
    assert set(lock.STEPS) == set(steps)


def test_a_bundle_that_was_never_built_is_no_difference(pair: Pair) -> None:
    unbuilt = ONE.model_copy(update={"bundle": None})
    assert lock.differences(ONE, unbuilt) == lock.differences(unbuilt, ONE) == []
    lock.check(pair, Lock(tools={}, bundles={pair.name: unbuilt}), ONE)


def test_a_pair_that_the_lock_does_not_have(pair: Pair) -> None:
    with pytest.raises(LockMismatch, match="net/linux-cpu is not in"):
        lock.check(pair, Lock(tools={}), ONE)


def test_other_tools_are_named_with_the_line_that_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "tools", lambda: {"edgekit": "1", "onnx": "1.20"})
    lock.check_tools(Lock(tools={"edgekit": "1", "onnx": "1.20"}))
    with pytest.raises(LockMismatch, match=r"onnx 1\.19 -> 1\.20") as caught:
        lock.check_tools(Lock(tools={"edgekit": "1", "onnx": "1.19"}))
    assert caught.value.next == "pip install onnx==1.19"
    with pytest.raises(LockMismatch, match=r"torch 2 -> none"):
        lock.check_tools(Lock(tools={"edgekit": "1", "onnx": "1.20", "torch": "2"}))


def test_a_hub_source_stays_at_its_commit(pair: Pair) -> None:
    known = Lock(tools={}, bundles={pair.name: ONE})
    assert lock.pinned(pair, known) == ONE.source
    assert lock.pinned(pair, None) == pair.ref
    other = replace(pair, ref="hf:org/net@v2")
    assert lock.pinned(other, known) == other.ref, "the project asks for something else now"


def test_merging_keeps_what_was_not_built_and_drops_what_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "tools", lambda: {"edgekit": "2"})
    before = Lock(tools={"edgekit": "1"}, bundles={"a/x": ONE, "b/x": ONE, "gone/x": ONE})
    new = ONE.model_copy(update={"bundle": "1" * 64})
    after = lock.merged(before, {"b/x": new}, {"a/x", "b/x", "c/x"})
    assert after == Lock(tools={"edgekit": "2"}, bundles={"a/x": ONE, "b/x": new})


def test_it_is_read_as_it_was_written_and_names_no_folder(tmp_path: Path, pair: Pair) -> None:
    path = tmp_path / lock.NAME
    assert lock.read(path) is None
    whole = Lock(tools={"edgekit": "1"}, bundles={pair.name: ONE})
    path.write_text(lock.text(whole), encoding="utf-8")
    assert lock.read(path) == whole
    local = replace(pair, ref=str(tmp_path / "net.onnx"))
    assert lock.asked(local) == "net.onnx"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": "1.0"}', json.dumps({"format": "9", "tools": {}}), "[" * 99_999]
)
def test_one_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / lock.NAME
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LockMismatch, match="cannot be read"):
        lock.read(path)


def test_a_mismatch_comes_before_what_may_follow_from_it() -> None:
    assert PRECEDENCE.index(2) < PRECEDENCE.index(12) < PRECEDENCE.index(3)
