"""What the gate of a language model costs, part by part, in CPU seconds: its own and those of all its processes.

The aims: 60 the first time and 25 with the float reference in the cache, median over the recipes. Each bundle is built
once without the gate, into one cache; then it is judged twice, the reference thrown away before the first time.

    python benchmarks/gate_cost.py [RECIPE ...]        --bundles FOLDER: keep them there, or find them

`quiet: no`: other programs took more than a tenth of a core meanwhile, and absolute seconds are too high.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from _common import EDGEKIT, report

from edgekit import cache, console
from edgekit.contract.manifest import Quality
from edgekit.regate import regate

MODEL = "smollm2-135m-instruct"
RECIPES = ("int4_rtn", "int4_kquant", "int4_mixed", "int4_gptq", "int4_gptq_mixed", "int8_rtn")
AIMS = {"first": 60.0, "cached": 25.0}
TICKS = os.sysconf("SC_CLK_TCK")


def used() -> float:
    """CPU seconds so far of this process and all it started, those that still run too."""
    running: dict[int, tuple[int, float]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended
            words = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            running[int(path.parent.name)] = int(words[1]), sum(map(int, words[11:15])) / TICKS
    family, last = {os.getpid()}, 0
    while len(family) > last:
        last = len(family)
        family |= {process for process, (parent, _) in running.items() if parent in family}
    return sum(running[process][1] for process in family if process in running)


def busy() -> float:
    """CPU seconds so far of the whole machine."""
    words = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()
    return sum(int(words[at]) for at in (1, 2, 3, 6, 7)) / TICKS


@contextlib.contextmanager
def parts(into: dict[str, float]) -> Iterator[None]:
    """Give each step of the gate what it takes without the steps within it."""
    within = [0.0]

    @contextlib.contextmanager
    def step(title: str, seconds: float | None = None) -> Iterator[None]:
        before = used()
        within.append(0.0)
        try:
            yield
        finally:
            taken = used() - before
            into[title] += taken - within.pop()
            within[-1] += taken

    with mock.patch.object(console, "step", step):
        yield


def judged(bundle: Path, into: dict[str, float]) -> Quality:
    """The verdict on a bundle, and what each part of it took."""
    before = used()
    with parts(into):
        quality, _ = regate(bundle, MODEL, "default")
    into["whole"] = used() - before
    return quality


def built(recipe: str, folder: Path) -> Path:
    """The bundle of this recipe, from the folder where it is there."""
    bundle = folder / recipe / f"{MODEL}-linux-cpu"
    if not bundle.is_dir():
        command = [*EDGEKIT, "build", MODEL, "--target", "linux-cpu", "--recipe", recipe, "--quality", "off"]
        subprocess.run([*command, "-o", str(folder / recipe)], check=True, stdout=subprocess.DEVNULL)
    return bundle


def main(recipes: list[str], folder: Path) -> None:
    console.configure(quiet=True)
    samples: dict[str, list[float]] = {name: [] for name in AIMS}
    began = time.monotonic(), used(), busy()
    for recipe in recipes:
        bundle = built(recipe, folder)
        shutil.rmtree(cache.root() / "gate", ignore_errors=True)
        for name, seconds in samples.items():
            taken: dict[str, float] = defaultdict(float)
            quality = judged(bundle, taken)
            seconds.append(taken["whole"])
            kl = next(entry for entry in quality.measurements if entry.metric == "kl_mean")
            print(f"{recipe}, {name}: {quality.verdict}, kl_mean {kl.value} of {kl.n} predictions", flush=True)
            for part, value in sorted(taken.items(), key=lambda entry: -entry[1]):
                print(f"  {value:6.1f}  {part}", flush=True)
    others = (busy() - began[2] - (used() - began[1])) / (time.monotonic() - began[0])
    reached = {name: statistics.median(samples[name]) <= aim for name, aim in AIMS.items()}
    report("gate_cost", samples, model=MODEL, recipes=recipes, aims=AIMS, reached=reached, beside=max(0.0, others))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=RECIPES)
    parser.add_argument("--bundles", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["EDGEKIT_CACHE"] = (
            f"{scratch}/cache" if arguments.bundles is None else str(arguments.bundles / "cache")
        )
        main(list(arguments.recipes), arguments.bundles or Path(scratch))
