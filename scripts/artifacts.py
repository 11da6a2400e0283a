"""Build a bundle of every model of the catalogue into a folder that the tests share (`make artifacts`).

An unchanged bundle is found and left alone, so the tests that follow start from what this left. Two are built at a
time, the largest first: a build of a small model has long stretches that keep one core.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from edgekit import cache
from edgekit.catalog import cards

EDGEKIT = [sys.executable, "-m", "edgekit"]
TARGET = "linux-cpu"
FOLDER = cache.root() / "bundles"
TOGETHER = 2


def build(name: str) -> Path:
    """The bundle of a catalogue model, built if need be; its stdout is the build's one JSON document."""
    command = [*EDGEKIT, "build", name, "--target", TARGET, "--effort", "quick", "-o", str(FOLDER), "--json"]
    environment = {"HF_HUB_OFFLINE": "1", **os.environ}  # packages alone, as in the tests
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, env=environment)
    document = json.loads(done.stdout)
    if document["error"]:
        raise RuntimeError(f"{name}: {document['error']['message']} (exit {done.returncode})")
    return Path(document["data"]["bundles"][0]["path"])


def timed(name: str) -> bool:
    """Build a model, say its seconds and where the bundle is or why there is none; whether it was built."""
    started = time.monotonic()
    try:
        built, outcome = True, str(build(name))
    except RuntimeError as error:
        built, outcome = False, f"FAILED {error}"
    print(f"{name:<28} {time.monotonic() - started:6.1f} s  {outcome}", flush=True)
    return built


def size(name: str) -> int:
    """Bytes that are downloaded, at most."""
    card = cards.load(name)
    return max(card.download_bytes, card.stand_in.download_bytes if card.stand_in else 0)


def main() -> int:
    """Build all; 1 if a model failed."""
    names = sorted(cards.packaged(), key=size, reverse=True)
    with ThreadPoolExecutor(TOGETHER) as pool:
        return 0 if all(list(pool.map(timed, names))) else 1


if __name__ == "__main__":
    sys.exit(main())
