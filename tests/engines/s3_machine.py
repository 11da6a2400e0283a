"""A machine that has a store: `python -m tests.engines.s3_machine NUMBER TEXT ...` makes a step that writes each text.

Prints for each what the step gave, and whether it was there already.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edgekit import cache


def step(number: int, text: str) -> tuple[str, bool]:
    def make(folder: Path) -> None:
        (folder / "deep").mkdir()
        (folder / "deep" / "a.txt").write_text(text, encoding="utf-8")
        (folder / "large.bin").write_bytes(bytes(12_000_000))  # of several parts

    entry = cache.produce("optimize", {"n": number}, make)
    return (entry.path / "deep" / "a.txt").read_text(encoding="utf-8"), entry.hit


if __name__ == "__main__":
    print(json.dumps([step(int(sys.argv[1]), text) for text in sys.argv[2:]]))
