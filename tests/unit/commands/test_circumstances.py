"""What lies where a command looks: packed bundles, temporary folders that cannot be used, disks that are full."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit import commands
from edgekit.bundle.zip import zip_bundle
from tests import needs

pytestmark = [pytest.mark.unit, needs.posix]

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    "words",
    [
        ["run", "HERE", "a prompt"],
        ["check", "HERE"],
        ["check", "FOLDER", "--ab", "HERE"],
        ["quality", "HERE", "--against", "x"],
    ],
)
def test_a_packed_bundle_is_to_be_unpacked_first(
    words: list[str], sealed: Path, tmp_path: Path, capsys: Capture
) -> None:
    archive = tmp_path / "tiny.zip"
    zip_bundle(sealed, archive)
    places = {"HERE": str(archive), "FOLDER": str(sealed)}
    assert commands.main([places.get(word, word) for word in words]) == 6
    cause, step = capsys.readouterr().err.splitlines()
    assert cause == f"error: {archive} is packed, and {words[0]} opens a folder: unpack it first"
    assert "trust" not in step
    command, _, then = step.removeprefix("  next: python3 -m zipfile ").partition(", then edgekit ")
    assert command.split() == ["-e", str(archive), str(tmp_path / "tiny")]
    with zipfile.ZipFile(archive) as packed:  # as `python3 -m zipfile -e` does
        packed.extractall(tmp_path / "tiny")
    assert commands.main(["verify", then.split()[1]]) == 0


def test_a_file_that_is_no_bundle_is_called_so(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "model.onnx").write_bytes(b"x")
    assert commands.main(["check", str(tmp_path / "model.onnx")]) == 6
    assert "is not a bundle: it is a file" in capsys.readouterr().err


FOLDERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (lambda folder: folder / "nowhere", "there is no such folder"),
    "a file": (lambda folder: _file(folder / "file"), "there is no such folder"),
    "of no disk": (lambda folder: Path("/proc/self"), "no such file or directory"),
}


def _file(path: Path) -> Path:
    path.touch()
    return path


@pytest.mark.parametrize(("made", "why"), FOLDERS.values(), ids=FOLDERS)
def test_a_temporary_folder_that_cannot_be_used_is_named(
    made: Callable[[Path], Path], why: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    wished = made(tmp_path)
    monkeypatch.setenv("TMPDIR", str(wished))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert commands.main(["--version"]) == 0
    said = capsys.readouterr().err
    assert said.startswith(f"warning: TMPDIR={wished} cannot be used ({why}): temporary files go to /")


def test_a_usable_temporary_folder_is_not_spoken_of(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert commands.main(["--version"]) == 0
    assert capsys.readouterr().err == ""


def test_a_full_disk_says_what_is_free_where(plugged: Any, capsys: Capture) -> None:
    """The system's own refusal, from a device that is full; a write's does not say which file it was."""
    plugged("with open('/dev/full', 'wb', buffering=0) as file:\n    file.write(b'x')")
    assert commands.main(["probe"]) == 5
    said = capsys.readouterr().err
    assert said.startswith("error: the disk is full while running probe; free: ")
    assert " (TMPDIR), " in said and " (EDGEKIT_CACHE), " in said and "set TMPDIR or EDGEKIT_CACHE" in said
