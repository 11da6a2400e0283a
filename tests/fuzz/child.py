"""Fuzz the readers of one group in a process of its own: python -m tests.fuzz.child GROUP SECONDS SEED FOLDER

An exception other than EdgekitError, a message that is no line, more than a gigabyte of memory or half a minute for one
input ends it with exit code 1 and the traceback; FOLDER/input holds the input that was read then.
"""

from __future__ import annotations

import faulthandler
import resource
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from edgekit.errors import EdgekitError
from tests.fuzz.targets import GROUPS, Fuzzed

MEMORY = 1 << 30  # bytes beyond what the imports have taken
HANG = 30  # seconds for one input; the slowest honest one takes well under one
BATCH = 200


def main(group: Mapping[str, Callable[[], Fuzzed]], seconds: float, start: int, folder: Path) -> None:
    """Fuzz each reader for its share of the seconds, with one input at least, and tell how many inputs it read."""
    readers = {name: make() for name, make in group.items()}
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    for name, fuzzed in readers.items():
        sys.stderr.write(f"reader: {name}\n")
        deadline = time.monotonic() + seconds / len(readers)
        inputs = 0
        while not inputs or time.monotonic() < deadline:
            inputs += batch(fuzzed, start + inputs, folder, deadline)
        sys.stdout.write(f"{inputs} {name}\n")


def batch(fuzzed: Fuzzed, number: int, folder: Path, deadline: float) -> int:
    """Some inputs of one seed; hypothesis makes the first that fails as small as it can."""
    count, failed = 0, False

    @seed(number)
    @settings(
        max_examples=BATCH,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(data=fuzzed.inputs)
    def once(data: bytes) -> None:
        nonlocal count, failed
        if count and not failed and time.monotonic() > deadline:
            return
        count += 1
        try:
            read(fuzzed, data, folder)
        except Exception:
            failed = True
            raise

    once()
    return count


def read(fuzzed: Fuzzed, data: bytes, folder: Path) -> None:
    """One input, in a folder of its own."""
    faulthandler.dump_traceback_later(HANG, exit=True)
    (folder / "input").write_bytes(data)
    room = folder / "room"
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir()
    (room / fuzzed.file).write_bytes(data)
    try:
        fuzzed.read(room / fuzzed.file)
    except EdgekitError as error:
        for line in (error.message, error.next):
            assert "\n" not in line and "\x1b" not in line and len(line) < 1500, repr(line)
        assert error.exit_code != 1 and error.next, error.message
    finally:
        faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main(GROUPS[sys.argv[1]], float(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
