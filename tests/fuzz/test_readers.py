"""Fuzzing of every reader of a stranger's file, each in a child process with limits.

A few seconds in all by default, always with the same inputs; EDGEKIT_FUZZ_SECONDS=600 takes ten minutes and new inputs
each time. A failure names the seed (EDGEKIT_FUZZ_SEED repeats it) and keeps the input.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests import needs

needs.module("gguf")  # its writer makes the file to begin with

pytestmark = pytest.mark.runtimes

ROOT = Path(__file__).parents[2]
DEFAULT = 12.0  # seconds in all
GROUPS = {"bundles": 6, "models": 4, "folders": 5, "plans": 3}  # readers in each, see targets.py


def test_every_group_is_fuzzed() -> None:
    from tests.fuzz import targets

    assert {name: len(readers) for name, readers in targets.GROUPS.items()} == GROUPS


@pytest.mark.parametrize("group", GROUPS)
def test_any_input_is_read_or_refused_in_one_line(group: str, tmp_path: Path) -> None:
    asked = os.environ.get("EDGEKIT_FUZZ_SECONDS")
    seconds = float(asked or DEFAULT) * GROUPS[group] / sum(GROUPS.values())
    start = int(os.environ.get("EDGEKIT_FUZZ_SEED") or (random.SystemRandom().randrange(2**31) if asked else 0))
    command = [sys.executable, "-m", "tests.fuzz.child", group, str(seconds), str(start), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=seconds + 600, check=False)
    where = f"EDGEKIT_FUZZ_SEED={start}, the input is {tmp_path / 'input'}"
    assert done.returncode == 0, f"{where}\n{_readable(done.stderr)}"
    assert all(int(line.split()[0]) > 0 for line in done.stdout.splitlines()), done.stdout
    assert len(done.stdout.splitlines()) == GROUPS[group]


def _readable(stderr: str) -> str:
    """The end of it, each line cut: the input that hypothesis prints in one would hide the exception."""
    return "\n".join(line[:300] for line in stderr.splitlines()[-80:])


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("raise KeyError('x')", "KeyError: 'x'"),
        ("[bytearray(1 << 28) for _ in range(8)]", "MemoryError"),
        ("child.faulthandler.dump_traceback_later(1, exit=True); [0 for _ in iter(int, 1)]", "Timeout (0:00:01)"),
        ("raise errors.SourceError('two\\nlines', next='x')", "AssertionError"),
    ],
)
def test_a_fault_of_a_reader_would_be_found(tmp_path: Path, fault: str, says: str) -> None:
    code = (
        "from pathlib import Path\nfrom hypothesis import strategies as st\nfrom edgekit import errors\n"
        f"from tests.fuzz import child\ndef read(path):\n    {fault}\n"
        "group = {'it': lambda: child.Fuzzed('a', st.binary(), read)}\n"
        f"child.main(group, 5, 0, Path({str(tmp_path)!r}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode != 0 and says in done.stderr, done.stderr[-2000:]
