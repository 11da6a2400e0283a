"""What preflight reads of a machine's memory: cgroups of both versions, in folders that play a machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edgekit.devices._runner import SOURCES
from tests import needs

pytestmark = pytest.mark.tools

PROGRAM = """
#include <iostream>
#include "memory.h"
int main(int, char** words) {
    const edgekit::Room room = edgekit::room(words[1]);
    std::cout << room.free.value_or(-1) << " " << room.limit.value_or(-1);
}
"""
V1, V2 = "sys/fs/cgroup/memory", "sys/fs/cgroup"
NONE = 9223372036854771712  # version 1's word for no limit
OWN = {
    1: "12:cpuset:/x\n7:cpu,memory:/app/job\n0::/other\n",
    2: "0::/app/job\n",
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("g++"):
        needs.unavailable("g++ is not installed")
    folder = tmp_path_factory.mktemp("memory")
    (folder / "main.cpp").write_text(PROGRAM, encoding="utf-8")
    command = ["g++", "-std=c++17", f"-I{SOURCES / 'src'}", folder / "main.cpp", SOURCES / "src/memory.cpp"]
    subprocess.run([*command, "-o", folder / "room"], check=True, timeout=300)
    return folder / "room"


@pytest.mark.parametrize(
    ("own", "files", "limit"),
    [
        (2, {}, -1),
        (2, {f"{V2}/app/job/memory.max": "max", f"{V2}/app/job/memory.current": 5}, -1),
        (2, {f"{V2}/app/job/memory.max": 100, f"{V2}/app/job/memory.current": 30}, 70),
        (
            2,
            {
                **{f"{V2}/app/job/memory.max": 100, f"{V2}/app/job/memory.current": 30},
                **{f"{V2}/app/memory.max": 90, f"{V2}/app/memory.current": 50},
            },
            40,
        ),
        (
            2,
            {
                **{f"{V2}/app/job/memory.max": 100, f"{V2}/app/job/memory.current": 90},
                f"{V2}/app/job/memory.stat": "anon 20\nfile 70\ninactive_file 60\n",
            },
            70,
        ),
        (1, {f"{V1}/app/job/memory.limit_in_bytes": NONE, f"{V1}/app/job/memory.usage_in_bytes": 5}, -1),
        (1, {f"{V1}/app/job/memory.limit_in_bytes": 100, f"{V1}/app/job/memory.usage_in_bytes": 30}, 70),
        (  # in a container its own folder is the top
            1,
            {
                **{f"{V1}/memory.limit_in_bytes": 100, f"{V1}/memory.usage_in_bytes": 80},
                f"{V1}/memory.stat": "cache 50\ninactive_file 1\ntotal_inactive_file 40\n",
            },
            60,
        ),
    ],
)
def test_limits(program: Path, tmp_path: Path, own: int, files: dict[str, object], limit: int) -> None:
    machine = {"proc/meminfo": "MemTotal: 9 kB\nMemAvailable: 7 kB\n", "proc/self/cgroup": OWN[own], **files}
    for name, text in machine.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n", encoding="utf-8")
    done = subprocess.run([program, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == f"{7 * 1024} {limit}"
