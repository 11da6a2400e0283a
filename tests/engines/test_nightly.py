"""A row of tests/nightly/RESULTS.md is written by a run, and by none whose code nobody could find again."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nightly import record

pytestmark = pytest.mark.runtimes

HEAD = "| date | commit | command | seconds | result |\n|---|---|---|---|---|\n"
PASSES = (sys.executable, "-c", "print('== 3 passed in 1.00s ==')")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one commit with a RESULTS.md."""
    (tmp_path / "RESULTS.md").write_text(f"{HEAD}{record.WAITING}\n- `make nightly-x`\n")
    monkeypatch.setattr(record, "ROOT", tmp_path)
    monkeypatch.setattr(record, "RESULTS", tmp_path / "RESULTS.md")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    return tmp_path


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@t")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def test_a_run_writes_its_row(checkout: Path) -> None:
    assert record.main("nightly-x", *PASSES) == 0
    text = record.RESULTS.read_text()
    assert re.search(r"\| `make nightly-x` \| [1-9]\d* \| 3 passed \|\n", text) and "- `make nightly-x`" not in text


def test_a_failed_run_writes_its_row_too(checkout: Path) -> None:
    assert record.main("nightly-x", sys.executable, "-c", "raise SystemExit(3)") == 3
    assert "| ended with exit code 3 |" in record.RESULTS.read_text()


def test_an_interrupted_run_writes_none(checkout: Path) -> None:
    before = record.RESULTS.read_text()
    with pytest.raises(SystemExit, match="signal 15"):
        record.main("nightly-x", sys.executable, "-c", "import os; os.kill(os.getpid(), 15)")
    assert record.RESULTS.read_text() == before


def test_changed_files_and_another_commit_on_the_way_write_none(checkout: Path) -> None:
    before = record.RESULTS.read_text()
    with pytest.raises(SystemExit, match="another commit"):
        record.main("nightly-x", "git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", str(checkout), *MORE)
    assert record.RESULTS.read_text() == before
    record.RESULTS.write_text(f"{before}\n")
    with pytest.raises(SystemExit, match="commit them"):
        record.main("nightly-x", *PASSES)
    assert record.RESULTS.read_text() == f"{before}\n"


MORE = ("commit", "-q", "--allow-empty", "-m", "two")
