"""An unchanged `edgekit build` of a project of three models and five targets beyond start-up. The aim: under 2 s.

python benchmarks/project.py [ROUNDS]        7
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from _common import EDGEKIT, ROOT, alternate, cpu_seconds, report, wall_seconds

sys.path.insert(0, str(ROOT))
from tests.olive import fifteen

AIM_S = 2.0
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 7

with tempfile.TemporaryDirectory() as name:
    home = Path(name)
    fifteen.write(home)
    build = [*EDGEKIT, "build", "-q"]

    def rebuilt() -> float:
        return wall_seconds(build, cwd=home)

    first = rebuilt()
    samples = alternate(ROUNDS, version=lambda: wall_seconds([*EDGEKIT, "version"]), rebuild=rebuilt)
    cpu = cpu_seconds(build, home)
    told = subprocess.run([*build, "--json"], cwd=home, capture_output=True, text=True, check=True)
    bundles = json.loads(told.stdout)["data"]["bundles"]
    if len(bundles) != 15 or not all(bundle["unchanged"] for bundle in bundles.values()):
        raise RuntimeError(f"{len(bundles)} bundles, of which some were built again")
rebuild = statistics.median(samples["rebuild"])
beyond = rebuild - statistics.median(samples["version"])
facts = {
    "first_s": round(first, 1),
    "beyond_s": round(beyond, 3),
    "cpu_s": round(cpu, 2),
    "first_by_rebuild": round(first / rebuild, 1),
}
report("project", samples, pairs=15, **facts, aim_s=AIM_S, reached=rebuild < AIM_S)
