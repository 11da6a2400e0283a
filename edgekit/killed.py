"""Why a child process ended by a signal: which one, and whether the kernel's OOM killer was behind it (Linux).

Sources: proc(5) (/proc/vmstat: oom_kill); Linux, Documentation/admin-guide/cgroup-v2.rst (memory.events: oom_kill),
cgroup-v1/memory.rst (memory.oom_control), mm/oom_kill.c ("Killed process 1234 (name)"), ABI/testing/dev-kmsg.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

RECORD = 8192  # bytes of the longest record of /dev/kmsg
_KILLS = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def oom_kills(root: Path = Path("/")) -> dict[str, int]:
    """How often the OOM killer struck so far, by the file that tells it; empty where none does."""
    found = {}
    for path in _counters(root):
        try:
            match = _KILLS.search(path.read_text(encoding="ascii", errors="replace"))
        except OSError:
            continue
        if match:
            found[str(path)] = int(match[1])
    return found


def by_oom_killer(pid: int, before: Mapping[str, int], root: Path = Path("/")) -> str | None:
    """What shows that the OOM killer ended a process that died of SIGKILL.

    Empty where the kernel counts its kills and there was none meanwhile; None where nothing can be known.

    Args:
        before: `oom_kills` from before the process began.
    """
    if line := _kernel_line(pid, root / "dev/kmsg"):
        return f"the kernel says: {line}"
    now = oom_kills(root)
    if any(count > before.get(path, count) for path, count in now.items()):
        return "the kernel's OOM killer struck while it ran"
    return "" if now else None


def address_space_mb() -> int | None:
    """What `ulimit -v` allows each process of this shell, in MB; None where nothing is set (or the system has none)."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft // 1_000_000


def signal_name(returncode: int) -> str:
    """ "SIGSEGV" for -11 and for a shell's 139; empty for an exit code of a program's own."""
    number = -returncode if returncode < 0 else returncode - 128
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def _counters(root: Path) -> Iterator[Path]:
    """The files that count: of the process's own cgroup (both versions), and of the whole machine."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, controllers, group = (*line.split(":", 2), "", "")[:3]
        inside = group.lstrip("/")
        if not controllers:
            yield root / "sys/fs/cgroup" / inside / "memory.events"
        elif "memory" in controllers.split(","):
            yield root / "sys/fs/cgroup/memory" / inside / "memory.oom_control"
    yield root / "proc/vmstat"


def _kernel_line(pid: int, kmsg: Path) -> str:
    """The kernel's own words about the end of a process, where its log may be read."""
    wanted = re.compile(rf"Killed process {pid} \(.*")
    last = ""
    try:
        handle = os.open(kmsg, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return ""
    try:
        for record in _records(handle):
            text = record.partition(b"\n")[0].partition(b";")[2].decode("utf-8", errors="replace")
            if wanted.search(text):
                last = text
    finally:
        os.close(handle)
    return last[:200]


def _records(handle: int) -> Iterator[bytes]:
    """Every record there is; a read that finds one overwritten goes on with the next."""
    while True:
        try:
            record = os.read(handle, RECORD)
        except BrokenPipeError:
            continue
        except OSError:  # no more (EAGAIN), or not allowed
            return
        if not record:
            return
        yield record
