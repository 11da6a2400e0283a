"""Build a bundle of every model of the catalogue into a folder that the tests share (`make artifacts`).

An unchanged bundle is found and left alone, so the tests that follow start from what this left.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from edgekit import cache
from edgekit.catalog import cards

EDGEKIT = [sys.executable, "-m", "edgekit"]
TARGET = "linux-cpu"
FOLDER = cache.root() / "bundles"


def build(name: str) -> Path:
    """The bundle of a catalogue model, built if need be; its stdout is the build's one JSON document."""
    command = [*EDGEKIT, "build", name, "--target", TARGET, "-o", str(FOLDER), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    document = json.loads(done.stdout)
    if document["error"]:
        raise RuntimeError(f"{name}: {document['error']['message']} (exit {done.returncode})")
    return Path(document["data"]["bundles"][0]["path"])


def main() -> int:
    """Build all; say the seconds of each; 1 if one failed."""
    failed = []
    for name in cards.names():
        started = time.monotonic()
        try:
            said = str(build(name))
        except RuntimeError as error:
            said = f"FAILED {error}"
            failed.append(name)
        print(f"{name:<28} {time.monotonic() - started:6.1f} s  {said}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
