"""CPU seconds of `edgekit --help` beyond a bare interpreter's. The aim: under 0.2 s."""

from __future__ import annotations

import statistics
import sys

from _common import EDGEKIT, alternate, cpu_seconds, report

AIM_S = 0.2

samples = alternate(
    15,
    python=lambda: cpu_seconds([sys.executable, "-c", "pass"]),
    help=lambda: cpu_seconds([*EDGEKIT, "--help"]),
)
beyond = statistics.median(samples["help"]) - statistics.median(samples["python"])
report("help_cost", samples, beyond_s=round(beyond, 4), aim_s=AIM_S, reached=beyond < AIM_S)
