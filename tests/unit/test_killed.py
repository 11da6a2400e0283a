"""Why a process died: its signal, and the OOM killer, which really kills one where this machine allows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit import killed

pytestmark = pytest.mark.unit


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
