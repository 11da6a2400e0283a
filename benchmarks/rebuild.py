"""Wall seconds of an unchanged `edgekit build` beyond `edgekit version` (start-up). The aim: under 1 s."""

from __future__ import annotations

import statistics
import tempfile

from _common import EDGEKIT, alternate, report, wall_seconds

AIM_S = 1.0
MODEL = "smollm2-135m-instruct"

with tempfile.TemporaryDirectory() as out:
    build = [*EDGEKIT, "build", MODEL, "--target", "linux-cpu", "-o", out, "--quality", "fast"]
    wall_seconds(build)
    samples = alternate(
        7,
        version=lambda: wall_seconds([*EDGEKIT, "version"]),
        rebuild=lambda: wall_seconds(build),
    )
beyond = statistics.median(samples["rebuild"]) - statistics.median(samples["version"])
report("rebuild", samples, beyond_s=round(beyond, 3), aim_s=AIM_S, reached=beyond < AIM_S)
