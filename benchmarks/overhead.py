"""`edgekit build` without the gate against the same Olive passes driven by hand. The aim: at most 15 % more.

Both start from the imported Hugging Face folder with an empty cache of their own and end with the model's files.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from _common import EDGEKIT, alternate, report, wall_seconds

from edgekit import sources

AIM = 1.15
MODEL = "smollm2-135m-instruct"
BY_HAND = """
import json, sys
from olive.workflows import run
import edgekit.jobs.olive.passes.half_scales  # the surgery of our recipes; a user would write their own
config = json.load(open(sys.argv[1]))
config |= {
    "systems": {"local": {"type": "LocalSystem", "accelerators": [
        {"device": "cpu", "execution_providers": ["CPUExecutionProvider"]}]}},
    "host": "local", "target": "local", "evaluate_input_model": False,
    "cache_dir": sys.argv[2] + "/cache", "output_dir": sys.argv[2] + "/out",
}
assert run(config).has_output_model()
"""
QUIET = {"OLIVE_DISABLE_TELEMETRY": "1", "ORT_DISABLE_TELEMETRY": "1", "CI": "1", "HF_HUB_OFFLINE": "1"}


def with_edgekit() -> float:
    """Seconds of a build into a fresh folder with a fresh cache."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*EDGEKIT, "build", str(SOURCE), "--target", "linux-cpu", "-o", f"{folder}/out", "--quality", "off"]
        return wall_seconds(command, EDGEKIT_CACHE=f"{folder}/cache")


def by_hand() -> float:
    """Seconds of the same passes in a script of a user's own."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps(CONFIG).replace("${SOURCE}", str(SOURCE)).replace("${WORK}", folder))
        return wall_seconds([sys.executable, "-c", BY_HAND, str(config), folder], **QUIET)


SOURCE = sources.open_source(MODEL).path
planned = subprocess.run(
    [*EDGEKIT, "build", str(SOURCE), "--target", "linux-cpu", "--dry-run", "--json"], capture_output=True, check=True
)
plan = json.loads(planned.stdout)["data"]["plans"][0]
CONFIG = next(step["config"] for step in plan["steps"] if step["stage"] == "optimize")
samples = alternate(3, edgekit=with_edgekit, by_hand=by_hand)
ratio = statistics.median(samples["edgekit"]) / statistics.median(samples["by_hand"])
report("overhead", samples, ratio=round(ratio, 3), aim=AIM, reached=ratio <= AIM)
