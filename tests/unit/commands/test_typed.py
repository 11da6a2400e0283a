"""What a hand types that is in a hurry: empty and endless paths, a folder for a file, a bundle for a model."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit import commands

pytestmark = pytest.mark.unit
LONG = "x" * 300


@dataclass(frozen=True)
class Typed:
    """A command line, its exit code, its cause and its next step."""

    words: str
    code: int
    said: str
    step: str


EMPTY = "a shell puts nothing in the place of a variable that is not set"
ROWS = [
    Typed("build EMPTY --target linux-cpu", 4, "the model is named by an empty or impossible text", "give a catalogue"),
    Typed("build swift-f0 --target linux-cpu -o EMPTY", 2, "the path of --output is empty", EMPTY),
    Typed("build swift-f0 --target linux-cpu -o LONG", 2, "--output is longer than a path may be: xxx", "shorten it"),
    Typed("build swift-f0 --target linux-cpu --calibration LONG", 2, "--calibration is longer", "shorten it"),
    Typed("build swift-f0 --target linux-cpu -o file", 2, "file is no folder", "choose another with -o"),
    Typed("build swift-f0 --target linux-cpu -o file/below", 2, "file is no folder", "choose another with -o"),
    Typed("build / --target linux-cpu", 4, "/ holds no model", "give the folder of a model"),
    Typed("build BUNDLE --target linux-cpu", 4, "tiny-linux-cpu is a bundle already", "the model it was built from"),
    Typed("verify EMPTY", 2, "the path of BUNDLE is empty", EMPTY),
    Typed("verify LONG", 2, "BUNDLE is longer than a path may be", "shorten it"),
    Typed("verify file", 6, "file is not a whole zip", "give the folder or the .zip that edgekit build wrote"),
    Typed("inspect BUNDLE/edgekit.json", 6, "is not a whole zip", "give the folder or the .zip"),
    Typed("verify cut.zip", 6, "cut.zip is not a whole zip", "build the bundle again, or fetch it again"),
    Typed("check BUNDLE --device EMPTY", 2, "unknown kind of device ''", "adb, ios, local, ssh"),
    Typed("report EMPTY", 2, "the path of RESULTS is empty", EMPTY),
    Typed("report folder", 2, "Is a directory while reading folder\n", "look at that path"),
    Typed("lock", 2, "error: there is no edgekit.toml here or above", "next: begin a project: edgekit init"),
    Typed("status", 2, "error: there is no edgekit.toml here or above", "next: begin a project: edgekit init"),
    Typed("build", 2, "no model was given, and there is no edgekit.toml", "give SOURCE and --target, or begin"),
    Typed("init", 2, "standard input ended before the questions were answered", "edgekit init --yes asks nothing"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.words)
def test_a_slip_of_the_hand_is_one_line_and_one_step(
    row: Typed, sealed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "cut.zip").write_bytes(b"PK")
    before = sorted(tmp_path.rglob("*"))
    words = {"EMPTY": "", "LONG": LONG}
    typed = [words.get(word, word.replace("BUNDLE", str(sealed))) for word in row.words.split()]
    assert commands.main(typed) == row.code
    *progress, cause, step = capsys.readouterr().err.splitlines(keepends=True)
    assert not [line for line in progress if "error:" in line]
    assert row.said in cause and row.step in step, (cause, step)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_of_no_arrays_says_so_in_plain_words(tmp_path: Path) -> None:
    """numpy calls noise "pickled data", and advises to load it unsafely."""
    from edgekit.errors import SourceError
    from edgekit.inputs import arrays

    (tmp_path / "noise.npz").write_bytes(b"noise" * 100)
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    for name in ("noise.npz", "objects.npy"):
        with pytest.raises(SourceError, match="it holds no plain arrays") as caught:
            arrays.load(tmp_path / name, ["x"])
        assert "unsafe" not in caught.value.message


def test_a_descriptor_is_no_path(tmp_path: Path) -> None:
    from edgekit.errors import from_oserror

    assert from_oserror(OSError(21, "Is a directory", 4), "reading it").message == "Is a directory while reading it"  # type: ignore[arg-type]


def test_a_cache_of_somebody_else_is_called_so(tmp_path: Path, capsys: Any, plugged: Any) -> None:
    """The system's refusal of a folder below the cache, or of one that the cache would lie in."""
    for there in ("cache.root() / 'locks'", "cache.root().parent"):
        plugged(f"from edgekit import cache\nraise PermissionError(13, 'Permission denied', str({there}))")
        assert commands.main(["probe"]) == 2
        cause, step = capsys.readouterr().err.splitlines()
        assert cause.startswith("error: no permission to write the cache (/")
        assert step == "  next: set EDGEKIT_CACHE to a folder of your own"
    plugged("raise PermissionError(13, 'Permission denied', '/elsewhere')")
    assert commands.main(["probe"]) == 2
    assert "fix the rights of that path, or choose another" in capsys.readouterr().err
