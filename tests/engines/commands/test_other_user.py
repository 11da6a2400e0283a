"""Somebody who is not root: homes, caches, bundles and folders with other people's rights. One message, nothing left.

For root every folder is writable, so these run as nobody where the tests are root's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import needs

pytestmark = [pytest.mark.runtimes, needs.posix]
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Row:
    """A command line in HERE, its exit code, what stderr has, and what of the environment is other than usual."""

    words: str
    code: int
    said: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


LOCKED_HOME = {"HOME": "HERE/locked", "EDGEKIT_CACHE": ""}
NO_HOME = {"HOME": "/nonexistent", "EDGEKIT_CACHE": ""}
OTHERS_CACHE = {"EDGEKIT_CACHE": "HERE/cache"}
OWN = "next: set EDGEKIT_CACHE to a folder of your own"
RIGHTS = "next: fix the rights of that path, or choose another"
ROWS = [
    Row("verify bundle", 0, environment=LOCKED_HOME),
    Row("inspect bundle", 0, environment=NO_HOME),
    Row("cache", 0, environment=NO_HOME),
    Row("check bundle -o r.json", 2, ("no permission to write the cache (HERE/locked/.cache)", OWN), LOCKED_HOME),
    Row("check bundle -o r.json", 2, ("no permission to write the cache (/nonexistent)", OWN), NO_HOME),
    Row(
        "build swift-f0 --target linux-cpu -o home/out",
        2,
        ("cannot write the cache folder HERE/locked/.cache",),
        LOCKED_HOME,
    ),
    Row("check bundle -o home/r.json", 2, ("no permission to write the cache (HERE/cache/locks", OWN), OTHERS_CACHE),
    Row("cache prune --all", 2, ("no permission to write the cache (HERE/cache/trial/", OWN), OTHERS_CACHE),
    Row("verify bundle", 0, ("warning: TMPDIR=HERE/locked cannot be used (permission",), {"TMPDIR": "HERE/locked"}),
    Row("check bundle", 2, ("cannot write to HERE/bundle.result.json: no permission to make a file in HERE",)),
    Row("verify unreadable", 2, ("no permission while reading unreadable (unreadable/model)", RIGHTS)),
    Row("run unreadable Hello", 2, ("no permission while reading unreadable (unreadable/model)", RIGHTS)),
    Row("verify private", 2, ("no permission while reading private (private)", RIGHTS)),
    Row("build x.onnx --target linux-cpu -o locked/out", 2, ("no permission to write into HERE/locked",)),
    Row("sample linux --bundle bundle -o locked/app", 2, ("no permission to write into HERE/locked",)),
    Row("targets show private/x.toml", 2, ("no permission while running targets (private/x.toml)", RIGHTS)),
    Row(
        "build private/x.onnx --target linux-cpu -o home/out", 4, ("cannot look at private/x.onnx: Permission denied",)
    ),
    Row("init swift-f0 --yes", 2, ("cannot write to edgekit.toml: no permission to make a file in ",)),
]


@pytest.fixture
def here(sealed: Path, tmp_path: Path) -> Path:
    """A folder of root's that everybody may look into, with a bundle, one half readable, and a private folder."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    for name in ("bundle", "unreadable"):
        shutil.copytree(sealed, tmp_path / name)
        for path in (tmp_path / name).rglob("*"):
            path.chmod(0o555 if path.is_dir() else 0o444)
    (tmp_path / "unreadable" / "model").chmod(0o700)
    for name, mode in (("locked", 0o555), ("private", 0o700), ("home", 0o777), ("cache", 0o755)):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name).chmod(mode)
    entry = tmp_path / "cache" / "trial" / ("0" * 32)
    entry.mkdir(parents=True)
    (entry / "entry.json").write_text('{"key": {}, "files": {}}')
    for name in ("x.onnx", "private/x.onnx", "private/x.toml"):
        (tmp_path / name).write_text("x")
    return tmp_path


def ran(user: list[str], row: Row, here: Path) -> subprocess.CompletedProcess[str]:
    """The command of a row, as another user, in `here`."""
    usual = {"HOME": "HERE/home", "EDGEKIT_CACHE": "HERE/home/cache", "PYTHONPATH": str(ROOT)}
    wished = {name: text.replace("HERE", str(here)) for name, text in {**usual, **row.environment}.items()}
    environment = {name: text for name, text in {**os.environ, **wished}.items() if text}
    command = [*user, sys.executable, "-m", "edgekit", *row.words.split()]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=here, env=environment)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.words} {' '.join(row.environment)}")
def test_what_another_users_rights_refuse_is_named(row: Row, here: Path, need_other_user: list[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in here.rglob("*") if here / "home" not in path.parents}
    done = ran(need_other_user, row, here)
    assert done.returncode == row.code, done.stderr
    for text in row.said:
        assert text.replace("HERE", str(here)) in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == (row.code != 0) and "Traceback" not in done.stderr
    after = {path: path.stat().st_mtime_ns for path in here.rglob("*") if here / "home" not in path.parents}
    assert {path: after.get(path) for path in before if path != here / "home"} == {
        path: time for path, time in before.items() if path != here / "home"
    }
    assert set(after) == set(before)


def test_a_bundle_that_may_only_be_read_is_checked(here: Path, need_other_user: list[str]) -> None:
    may = subprocess.run([*need_other_user, "test", "-x", sys.executable], check=False)
    if may.returncode != 0:
        needs.refused_here("interpreter")
    done = ran(need_other_user, Row("check bundle --goldens-only -o home/r.json", 0), here)
    assert (here / "home" / "r.json").is_file() and "running check" not in done.stderr, done.stderr
