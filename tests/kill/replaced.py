"""Stage and seal, killed before each change on the disk, and done again. For test_replaced.py:

    python -m tests.kill.replaced FOLDER exchange STRIDE    before every STRIDE-th change
    python -m tests.kill.replaced FOLDER rename STRIDE      on a file system that cannot exchange: at every renaming

Beside test_kill.py, which kills whole builds at drawn events: this last step has every point, and the file systems that
cannot exchange two names.

Each round forks, so what is killed is a real process, and no cleaning up of Python's own can run. Prints the
number of rounds, and ends with a traceback at a state that is neither the old bundle nor the new one.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

from edgekit.bundle import aside
from edgekit.bundle.read import read
from edgekit.bundle.verify import verify
from tests.unit.bundle.tiny_bundle import NAME, build, draft, origin

CHANGES = [
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.chmod",
    "os.truncate",
    "ctypes.dlsym",
    "write",
]


def build_until(change: int, destination: Path, made_of: tuple[Path, Path], tools: dict[str, str]) -> bool:
    """Build in a child that is killed before its change number `change`; False where it ended before that."""
    child = os.fork()
    if child == 0:
        seen = 0

        def watch(event: str, args: tuple[object, ...]) -> None:
            nonlocal seen
            if event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR):
                event = "write"
            if event in CHANGES:
                seen += 1
                if seen == change:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        build(destination, made_of, draft(tools=tools))
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def main(folder: Path, way: str, stride: int) -> None:
    aside.sync = lambda path: None  # a killed process loses nothing that it wrote: only power loss does
    if way == "rename":
        aside._exchange = lambda one, other: False
        CHANGES[:] = ["os.rename"]
    made_of = origin(folder / "origin")
    destination = folder / "out" / NAME
    for old in (None, {"onnx": "old"}):
        change, rounds, killed = 1 - stride, 0, True
        while killed:
            change += stride
            rounds += 1
            shutil.rmtree(folder / "out", ignore_errors=True)
            if old:
                build(destination, made_of, draft(tools=old))
            killed = build_until(change, destination, made_of, {"onnx": "new"})
            if destination.exists():
                assert verify(destination) == [], f"half a bundle after {change} changes"
                assert read(destination).tools in ({"onnx": "new"}, old), change
            else:
                assert old is None or way == "rename", f"no bundle after {change} changes"
            # The next build cannot even start to stage, and still the workspace is tidied up.
            if old:
                with aside.workspace(destination):
                    assert verify(destination) == [], f"the old bundle did not come back after {change} changes"
            build(destination, made_of, draft(tools={"onnx": "new"}))
            assert read(destination).tools == {"onnx": "new"}
            assert [path.name for path in (folder / "out").iterdir()] == [NAME], f"leftovers after {change} changes"
        print(rounds)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
