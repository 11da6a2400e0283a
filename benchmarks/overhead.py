"""A build against Olive's own share of it: what it costs to have a proven bundle and not only Olive's result.

    net   a few MB, with the gate as by default, to the sealed bundle; against a process that loads Olive and runs the
          same passes on the same data. The aim: at most 1.3 times.
    llm   without the gate; against the passes driven by hand from a script of a user's own. The aim: at most 1.15.

    python benchmarks/overhead.py [net|llm|both [ROUNDS]]        both and 3

All start from the imported source with an empty cache of their own.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _common import EDGEKIT, alternate, pictures, report, wall_seconds

from edgekit import build, cache, optimize, sources, tools

AIMS = {"net": 1.3, "llm": 1.15}
MODELS = {"net": "ppocrv4-rec", "llm": "smollm2-135m-instruct"}
TARGET = "linux-cpu"
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


def built(source: str, *words: str) -> float:
    """Seconds of a build into a fresh folder with a cache that has the downloads alone."""
    with tempfile.TemporaryDirectory() as folder:
        downloads = cache.root() / "downloads"
        if downloads.is_dir():
            shutil.copytree(downloads, Path(folder) / "cache" / "downloads", copy_function=_linked)
        command = [*EDGEKIT, "build", source, "--target", TARGET, "-o", f"{folder}/out", *words]
        return wall_seconds(command, EDGEKIT_CACHE=f"{folder}/cache")


def _linked(source: str, copy: str) -> None:
    try:
        os.link(source, copy)
    except OSError:  # another file system
        shutil.copyfile(source, copy)


def net(rounds: int) -> None:
    """A net: its plan's Olive step alone is a process of edgekit's own child, started for it."""
    with tempfile.TemporaryDirectory() as name:
        data = pictures(Path(name) / "lines")
        options = build.Options(out=Path(name), calibration=data)
        (job,) = build.prepare(MODELS["net"], [TARGET], options)
        plan, variant = job.plan, job.plan.main
        assert job.calibration is not None
        feeds = Path(name) / "feeds"
        feeds.mkdir()
        job.calibration.write_feeds(feeds)
        request = {
            "config": plan.optimize_step(variant).config,
            "source": str(job.source.path.absolute()),
            "calibration": str(feeds),
            "expected": list(plan.files(variant)),
        }

        def olive() -> float:
            with tempfile.TemporaryDirectory() as work:
                began = time.perf_counter()
                asked = request | {"work": work}
                tools.job(
                    optimize.OLIVE, asked, Path(work), timeout=600, what="Olive", env=tools.homes(Path(work, "hf"))
                )
                return time.perf_counter() - began

        words = ("--calibration", str(data))
        samples = alternate(rounds, edgekit=lambda: built(MODELS["net"], *words), olive=olive)
    _report("net", samples, samples["olive"])


def llm(rounds: int) -> None:
    """A language model."""
    source = sources.open_source(MODELS["llm"]).path
    words = [*EDGEKIT, "build", str(source), "--target", TARGET, "--dry-run", "--json"]
    planned = subprocess.run(words, capture_output=True, check=True)
    plan = json.loads(planned.stdout)["data"]["plans"][0]
    config = next(step["config"] for step in plan["steps"] if step["stage"] == "optimize")

    def by_hand() -> float:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "config.json"
            path.write_text(json.dumps(config).replace("${SOURCE}", str(source)).replace("${WORK}", folder))
            return wall_seconds([sys.executable, "-c", BY_HAND, str(path), folder], **QUIET)

    samples = alternate(rounds, edgekit=lambda: built(str(source), "--quality", "off"), by_hand=by_hand)
    _report("llm", samples, samples["by_hand"])


def _report(kind: str, samples: dict[str, list[float]], alone: list[float]) -> None:
    ratio, aim = statistics.median(samples["edgekit"]) / statistics.median(alone), AIMS[kind]
    report(f"overhead {kind}", samples, model=MODELS[kind], ratio=round(ratio, 3), aim=aim, reached=ratio <= aim)


asked = sys.argv[1] if len(sys.argv) > 1 else "both"
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
for kind, measure in (("net", net), ("llm", llm)):
    if asked in (kind, "both"):
        measure(rounds)
