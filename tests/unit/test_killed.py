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

pytestmark = pytest.mark.unit

V1 = Path("/sys/fs/cgroup/memory")
V2 = Path("/sys/fs/cgroup")
LIMIT = 120 * 2**20


@pytest.mark.parametrize(
    ("code", "name"), [(-11, "SIGSEGV"), (139, "SIGSEGV"), (-6, "SIGABRT"), (1, ""), (0, ""), (200, "")]
)
def test_a_signal_has_its_name(code: int, name: str) -> None:
    assert killed.signal_name(code) == name


def tree(root: Path, *, events: int = 0, machine: int = 0, kmsg: str = "") -> Path:
    """A /proc and a /sys of cgroups of version 2."""
    for path, text in {
        "proc/self/cgroup": "0::/user.slice/app\n",
        "proc/vmstat": f"nr_free_pages 1\noom_kill {machine}\n",
        "sys/fs/cgroup/user.slice/app/memory.events": f"low 0\nhigh 0\nmax 3\noom 1\noom_kill {events}\n",
        "dev/kmsg": kmsg,
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def test_a_counter_that_rose_tells_of_the_oom_killer(tmp_path: Path) -> None:
    before = killed.oom_kills(tree(tmp_path, events=2, machine=7))
    assert sorted(before.values()) == [2, 7]
    assert killed.by_oom_killer(1, before, tree(tmp_path, events=2, machine=7)) == ""
    assert "OOM killer" in (killed.by_oom_killer(1, before, tree(tmp_path, events=3, machine=7)) or "")
    assert "OOM killer" in (killed.by_oom_killer(1, before, tree(tmp_path, events=2, machine=8)) or "")


def test_the_kernels_own_line_is_quoted_and_only_that_of_this_process(tmp_path: Path) -> None:
    line = "3,457,547,-;Memory cgroup out of memory: Killed process 641 (python3) total-vm:114244kB, UID:0\n"
    root = tree(tmp_path, kmsg=line)
    assert "Killed process 641 (python3)" in (killed.by_oom_killer(641, {}, root) or "")
    assert not killed.by_oom_killer(64, {}, root) and not killed.by_oom_killer(6411, {}, root)


def test_where_nothing_counts_nothing_is_said(tmp_path: Path) -> None:
    assert killed.oom_kills(tmp_path) == {} and killed.by_oom_killer(1, {}, tmp_path) is None


def test_version_1_of_cgroups_is_read(tmp_path: Path) -> None:
    root = tree(tmp_path)
    (root / "proc/self/cgroup").write_text("5:cpu,cpuacct:/\n4:memory:/box\n0::/\n")
    (root / "sys/fs/cgroup/memory/box").mkdir(parents=True)
    (root / "sys/fs/cgroup/memory/box/memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 4\n")
    assert 4 in killed.oom_kills(root).values()


@pytest.mark.skipif(sys.platform != "linux", reason="the counters are Linux's")
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
        pytest.skip("no cgroup can be made here: this needs root and the memory controller")
    yield f'echo $$ > {folder / tasks}; exec "$@"'
    folder.rmdir()


def test_the_oom_killer_is_named_when_it_strikes(box: str, tmp_path: Path) -> None:
    hungry = "held = []\nwhile True: held.append(bytearray(8_000_000))"
    with pytest.raises(BuildError, match="the child ran out of memory: ") as caught:
        tools.job(["sh", "-c", box, "sh", sys.executable, "-c", hungry], {}, tmp_path, timeout=60, what="the child")
    assert "OOM killer" in caught.value.message or "Killed process" in caught.value.message
