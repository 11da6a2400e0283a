"""Standard streams that are closed, full, of another encoding or not read: what is said, and with which exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import needs

pytestmark = [pytest.mark.runtimes, needs.posix]

ROOT = Path(__file__).parents[2]
EDGEKIT = f"{sys.executable} -m edgekit"
CLOSED = "error: standard output is closed: no result could be shown\n"
FULL = "error: the disk is full while writing to standard output\n"
UNKNOWN = "error: unknown target 'nope'"


@dataclass(frozen=True)
class Row:
    """A line of a shell after "edgekit", its exit code, and how stdout and stderr begin."""

    words: str
    code: int
    out: str = ""
    err: str = ""


ROWS = [
    Row("--version 2>&-", 0, out="edgekit "),
    Row("--version >&-", 2, err=CLOSED),
    Row("--version >/dev/full", 5, err=FULL),
    Row("targets >/dev/full", 5, err=FULL),
    Row("--json targets >/dev/full", 5, err=FULL),
    Row("targets show nope 2>/dev/full", 3),
    Row("--json targets show nope 2>/dev/full", 3, out='{\n  "schema": "edgekit.targets/1"'),
    Row("--json targets show nope >/dev/full", 3, err=UNKNOWN),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.words)
def test_a_stream_that_takes_nothing_is_named_or_done_without(row: Row) -> None:
    done = subprocess.run(["bash", "-c", f"{EDGEKIT} {row.words}"], capture_output=True, text=True, check=False)
    assert done.returncode == row.code, done.stderr
    assert done.stdout.startswith(row.out) and done.stderr.startswith(row.err)
    assert "Traceback" not in done.stderr and "bug" not in done.stderr
    assert bool(row.err) == bool(done.stderr)


@pytest.mark.parametrize(("words", "stream"), [("targets", "stdout"), ("targets show nope", "stderr")])
def test_a_reader_that_is_gone_is_what_sigpipe_says(words: str, stream: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    others: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE} | {stream: writer}
    done = subprocess.run([*EDGEKIT.split(), *words.split()], text=True, check=False, **others)
    os.close(writer)
    assert (done.returncode, done.stderr or "") == (141, "")


@pytest.mark.parametrize("encoding", ["ascii:strict", "cp1252"])
def test_what_an_encoding_lacks_is_a_question_mark(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "ž→日本.toml").write_text('extends = "linux-cpu"\nname = "mine"\ntitle = "日本 ž"\n', encoding="utf-8")
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    shown = [*EDGEKIT.split(), "targets", "show", str(tmp_path / "ž→日本.toml")]
    done = subprocess.run(shown, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert b"?? " in done.stdout
    plain = subprocess.run([*shown, "--json"], capture_output=True, env=environment, check=True)
    assert json.loads(plain.stdout)["data"]["target"]["title"] == "日本 ž"


def test_a_closed_stream_is_no_file_s(tmp_path: Path) -> None:
    """With descriptor 1 closed the first file that is opened would be it, and children would print into it."""
    (tmp_path / "opens.py").write_text(
        "from edgekit import stdio; stdio.prepare()\nimport subprocess\n"
        "with open('kept', 'w'):\n    subprocess.run(['echo', 'a child'])\n"
    )
    line = f"{sys.executable} opens.py 0<&- >&- 2>&-"
    subprocess.run(["bash", "-c", line], check=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert (tmp_path / "kept").read_text() == ""
