"""MB a second at which the core compares a bundle with its manifest, as an app does once, at install. The aim: 500.

A bundle is opened lazily with EDGEKIT_VERIFY and without, in turns; its files lie in the system's memory after the
first time. The seconds are the CPU's, of which this takes one: what else the machine does is not in them. Beside it, as
what this CPU can do, is Python's hashlib (OpenSSL) on the same files.

    python benchmarks/hashing.py [BUNDLE]
"""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from collections.abc import Callable

from _common import alternate, core, report, smollm2

AIM = 500  # MB/s
ROUNDS = 9


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds that it takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


def opened(flags: int) -> None:
    """The bundle, opened and closed."""
    with abi.Bundle(library, folder, flags=abi.LAZY | flags):
        pass


def hashed() -> None:
    """All that the manifest lists, by Python."""
    for file in files:
        with (folder / file["path"]).open("rb") as stream:
            hashlib.file_digest(stream, "sha256")


abi, library = core()
folder = smollm2()
files = json.loads((folder / "edgekit.json").read_text(encoding="utf-8"))["files"]
megabytes = sum(file["size"] for file in files) / 1e6
opened(abi.VERIFY)
samples = alternate(
    ROUNDS,
    verified=lambda: seconds(lambda: opened(abi.VERIFY)),
    sizes_alone=lambda: seconds(lambda: opened(0)),
    openssl=lambda: seconds(hashed),
)
middle = {name: statistics.median(each) for name, each in samples.items()}
speed = megabytes / (middle["verified"] - middle["sizes_alone"])
report(
    "hashing",
    samples,
    megabytes=round(megabytes, 1),
    mb_per_s=round(speed),
    openssl_mb_per_s=round(megabytes / middle["openssl"]),
    aim=AIM,
    reached=speed >= AIM,
)
