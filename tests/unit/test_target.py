"""Target profiles: strict reading, `extends`, and where each value came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit import target
from edgekit.errors import TargetError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", target.names())
def test_every_shipped_target_loads_and_has_its_files_name(name: str) -> None:
    found = target.load(name)
    assert found.name == name
    assert found.abi and found.status_reason and found.runtime
    assert all(package.floor and package.last_seen and package.source for package in found.runtime)


def test_a_file_outside_the_tree_extends_a_shipped_target(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "linux-cpu"\nname = "mine"\n[llm]\nmax_length = 512\n')
    found = target.load(str(mine))
    base = target.load("linux-cpu")
    assert found.name == "mine" and found.llm.max_length == 512
    assert found.llm.recipe == base.llm.recipe and found.runtime == base.runtime


def test_a_file_extends_a_file_beside_it_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.toml").write_text('extends = "b.toml"\n[tensor]\nnote = "a"\n')
    (tmp_path / "b.toml").write_text('extends = "linux-cpu"\nname = "b"\n[tensor]\nnote = "b"\nep = "cpu"\n')
    monkeypatch.chdir("/")
    assert target.load(str(tmp_path / "a.toml")).tensor.note == "a"
    merged, origin = target.resolve(str(tmp_path / "a.toml"))
    assert origin["name"] == "b.toml" and origin["os"] == "linux-cpu.toml"
    assert origin["tensor.note"] == "a.toml" and origin["tensor.ep"] == "b.toml"
    assert merged["tensor"]["recipe"] == target.load("linux-cpu").tensor.recipe


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nmae = 'x'", ["unknown key 'nmae'", "did you mean 'name'"]),
        ("[llm]\nmax_lenght = 5", ["unknown key 'llm.max_lenght'", "did you mean 'max_length'"]),
        ("[budget.decode_tps]\nmni = 5", ["unknown key 'budget.decode_tps.mni'", "did you mean 'min'"]),
        ("[llm]\nmax_length = 'long'", ["llm.max_length", "integer"]),
        ("os = 'beos'", ["os", "linux"]),
        ("name = ", ["not readable TOML"]),
        ("extends = 3", ["extends must be the name"]),
        ("extends = 'linux-cpuu'", ["unknown target 'linux-cpuu'", "did you mean 'linux-cpu'"]),
        ("extends = 'gone.toml'", ["no target file gone.toml"]),
        ("extends = 'bad.toml'", ["extends itself"]),
    ],
)
def test_a_wrong_file_is_one_line_that_names_the_place(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text if "extends" in text else f'extends = "linux-cpu"\n{text}')
    with pytest.raises(TargetError) as caught:
        target.load(str(path))
    assert all(word in caught.value.message for word in words), caught.value.message
    assert "\n" not in caught.value.message and caught.value.next


def test_a_circle_of_two_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('extends = "b.toml"')
    (tmp_path / "b.toml").write_text('extends = "a.toml"')
    with pytest.raises(TargetError, match="extends itself"):
        target.load(str(tmp_path / "a.toml"))


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = " + b"[" * 100_000])
def test_bytes_that_are_no_toml_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(TargetError, match="not readable TOML") as caught:
        target.load(str(path))
    assert len(caught.value.message) < 500


def test_an_unknown_name_suggests_the_nearest_and_lists_all() -> None:
    with pytest.raises(TargetError, match="did you mean 'linux-cpu'") as caught:
        target.load("linux-cqu")
    assert all(name in caught.value.next for name in target.names())


def test_a_missing_value_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bare.toml"
    path.write_text('name = "bare"')
    with pytest.raises(TargetError, match="title: field required"):
        target.load(str(path))
