"""Why a process died: its signal, and the OOM killer, which really kills one where this machine allows it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit import killed, tools
from edgekit.errors import BuildError
from tests import needs

pytestmark = pytest.mark.runtimes

V1 = Path("/sys/fs/cgroup/memory")
V2 = Path("/sys/fs/cgroup")
LIMIT = 120 * 2**20


@needs.linux
def test_a_process_that_somebody_else_killed_did_not_run_out_of_memory() -> None:
    before = killed.oom_kills()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not killed.by_oom_killer(process.pid, before)


@pytest.fixture
def box() -> Iterator[str]:
    """The command line that puts what follows it into a cgroup with little memory; skips where none can be made."""
    folder = V1 / "edgekit-test" if (V1 / "tasks").exists() else V2 / "edgekit-test"
    limit, tasks = ("memory.limit_in_bytes", "tasks") if folder.parent == V1 else ("memory.max", "cgroup.procs")
    try:
        folder.mkdir()
        (folder / limit).write_text(str(LIMIT))
    except OSError:
        needs.refused_here("cgroup")
    yield f'echo $$ > {folder / tasks}; exec "$@"'
    folder.rmdir()


def test_the_oom_killer_is_named_when_it_strikes(box: str, tmp_path: Path) -> None:
    hungry = "held = []\nwhile True: held.append(bytearray(8_000_000))"
    with pytest.raises(BuildError, match="the child ran out of memory: ") as caught:
        tools.job(["sh", "-c", box, "sh", sys.executable, "-c", hungry], {}, tmp_path, timeout=60, what="the child")
    assert "OOM killer" in caught.value.message or "Killed process" in caught.value.message
