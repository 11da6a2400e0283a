"""A build whose steps come over S3 against one that makes them, and one that has them. The aim: at most 0.5 of making.

The server is moto's, on this machine (tests/peers/s3.py): what is measured is edgekit's part and s3fs, no network.

    python benchmarks/store_s3.py [MODEL [ROUNDS]]        ppocrv4-cls and 3
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from itertools import count
from pathlib import Path

from _common import EDGEKIT, ROOT, alternate, report, wall_seconds

sys.path.insert(0, str(ROOT))
from edgekit import cache
from tests.peers import s3

AIM = 0.5
MODEL = sys.argv[1] if len(sys.argv) > 1 else "ppocrv4-cls"
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3

with tempfile.TemporaryDirectory(dir=cache.root()) as name, s3.serving() as client:
    folder, numbers = Path(name), count()

    def machine() -> Path:
        """A cache with the downloads alone."""
        made = folder / str(next(numbers))
        if (downloads := cache.root() / "downloads").is_dir():
            shutil.copytree(downloads.resolve(), made / "downloads", copy_function=os.link)
        return made

    def build(cache: Path, store: str) -> float:
        """Seconds of a build into a new folder."""
        out = folder / f"out-{next(numbers)}"
        command = [*EDGEKIT, "build", MODEL, "--target", "linux-cpu", "-o", str(out), "--quality", "fast"]
        return wall_seconds(command, **client, EDGEKIT_CACHE=str(cache), EDGEKIT_STORE=store)

    here, store = machine(), f"s3://{s3.BUCKET}/team"
    build(here, store)
    samples = alternate(
        ROUNDS,
        made=lambda: build(machine(), ""),
        over_s3=lambda: build(machine(), f"ro+{store}"),
        here=lambda: build(here, ""),
    )
made, fetched, kept = (statistics.median(samples[way]) for way in ("made", "over_s3", "here"))
ratios = {"by_made": round(fetched / made, 3), "by_here": round(fetched / kept, 3)}
report("store_s3", samples, model=MODEL, **ratios, aim=AIM, reached=fetched / made <= AIM)
