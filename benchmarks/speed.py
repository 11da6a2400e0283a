"""A bundle's speed and memory beside llama.cpp's of the same weights, in turns: what an app waits for.

    python benchmarks/speed.py [--recipe NAME | --bundle FOLDER] [--types TYPE ...] [--pairs N]

The weights are those of benchmarks/quality (SmolLM2 off every grid), LLAMA_PYTHON is as there; a bundle that is given
must be of them. Each type of llama.cpp's is one opponent; that which is nearest in size at no smaller KL is judged.
Two processes with an open model each are asked in turn, every pair in the other order, with two threads: prefill of 512
tokens, decoding of 128, of 128 behind 2,048, and the first token of a conversation's fifth turn. Loading and memory are
of fresh processes; memory is that of 4,096 tokens, llama.cpp's with a cache of q8_0.

Printed are medians, and the ratio with its interval (95 %, bootstrap over the pairs). `quiet: no`: other programs took
more than a tenth of a core meanwhile; results/speed.json is then not written, and nothing of it is to be believed but
the CPU seconds, roughly.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from _common import EDGEKIT, QUIET, busy, others, report

sys.path.insert(0, str(Path(__file__).parent / "quality"))
import run as quality

from edgekit import cache, console, tools
from edgekit.data import file_digest

SIDE = Path(__file__).with_name("speed_side.py")
OUT = Path(__file__).parent / "results" / "speed.json"
TYPES = ("Q4_K_M", "Q5_K_M", "Q6_K")
THREADS = 2
WORK: dict[str, list[Any]] = {
    "prefill pp512": ["prefill", 512],
    "decode tg128": ["decode", 128, 0],
    "decode tg128@d2048": ["decode", 128, 2048],
    "first token of turn 5": ["turn5"],
}
AIMS = {"prefill pp512": 1.4, "decode tg128": 1.25, "peak memory": 1.0}  # how many times llama.cpp's, of what is better
RESAMPLES = 4000


class Side:
    """A process with an open model."""

    def __init__(self, python: str, engine: str, path: Path, overlay: str = "") -> None:
        command = [python, str(SIDE), engine, str(path), str(THREADS), *([overlay] if overlay else [])]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.loaded = self._told()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def ask(self, work: Sequence[Any]) -> dict[str, float]:
        """What a piece of work took."""
        assert self._process.stdin is not None
        print(json.dumps(work), file=self._process.stdin, flush=True)
        return self._told()

    def _told(self) -> dict[str, float]:
        assert self._process.stdout is not None
        told: dict[str, float] = json.loads(self._process.stdout.readline())
        return told


def built(source: Path, recipe: str) -> Path:
    """The bundle of these weights by a recipe, from where it was built before."""
    folder = cache.root() / "benchmark-speed" / f"{source.parent.name[:16]}-{recipe}"
    if not list(folder.glob("*/edgekit.json")):
        command = [*EDGEKIT, "build", str(source), "--target", "linux-cpu", "--recipe", recipe, "--quality", "off"]
        subprocess.run([*command, "-o", str(folder)], check=True)
    (manifest,) = folder.glob("*/edgekit.json")
    return manifest.parent


def told_of(bundle: Path, reference: Path) -> dict[str, Any]:
    """Size and distance of a bundle, as benchmarks/quality has them."""
    (folder,) = (path for path in (bundle / "model").iterdir() if path.is_dir())
    stats = file_digest(Path(quality._stats.__file__))

    def compare(out: Path) -> None:
        request = {"action": "logits", "reference": str(reference), "model": str(folder), "out": str(out)}
        quality.job(tools.module("edgekit.quality._child_llm"), request, out)

    key = {"reference": reference.name, "model": cache.path_digest(folder), "stats": stats}
    with np.load(cache.produce("gate", key, compare, what="bundle compared").path / "compared.npz") as file:
        compared = {"kl": file["kl"], "nll": file["nll"], "same": file["same_best"]}
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return quality.row("edgekit", bundle.name, size, compared)


def paired(ours: Side, theirs: Side, pairs: int) -> dict[str, dict[str, list[float]]]:
    """Seconds, wall and CPU, of each piece of work, by side; every second pair begins with the other."""
    taken: dict[str, dict[str, list[float]]] = {
        name: {f"{side} {unit}": [] for side in ("edgekit", "llama.cpp") for unit in ("s", "cpu_s")} for name in WORK
    }
    for pair in range(pairs + 1):
        both = [("edgekit", ours), ("llama.cpp", theirs)]
        for name, work in WORK.items():
            for side, process in both if pair % 2 else both[::-1]:
                told = process.ask(work)
                for unit in ("s", "cpu_s") if pair else ():  # the first warms up
                    taken[name][f"{side} {unit}"].append(told[unit])
    return taken


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> tuple[float, float, float]:
    """How many times as fast ours is: median of the pairs' ratios, and its interval."""
    of_pairs = np.log(np.array(theirs) / np.array(ours))
    random = np.random.default_rng(0)
    drawn = np.median(random.choice(of_pairs, (RESAMPLES, len(of_pairs))), axis=1)
    low, high = np.exp(np.quantile(drawn, (0.025, 0.975)))
    return float(np.exp(np.median(of_pairs))), float(low), float(high)


def fresh(python: str, engine: str, path: Path, overlay: str, times: int) -> dict[str, list[float]]:
    """Seconds to load, and MB with 4,096 tokens read, of processes of their own."""
    taken: dict[str, list[float]] = {"load_s": [], "peak_mb": [], "anon_mb": []}
    for _ in range(times):
        with Side(python, engine, path, overlay) as side:
            taken["load_s"].append(side.loaded["s"])
            told = side.ask(["fill", 4096])
            for name in ("peak_mb", "anon_mb"):
                taken[name].append(told[name])
    return taken


def judged(ours: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The type that is nearest in size among those that are no closer to float than ours; else the nearest in KL."""
    no_closer = [row for row in rows if row["kl_mean"] >= ours["kl_mean"]]
    if no_closer:
        return min(no_closer, key=lambda row: abs(np.log(row["mb"] / ours["mb"])))
    return min(rows, key=lambda row: row["kl_mean"] - ours["kl_mean"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="int4_gptq_mixed")
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--types", nargs="*", default=TYPES)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--loads", type=int, default=3)
    asked = parser.parse_args()
    python = os.environ.get("LLAMA_PYTHON") or parser.error("LLAMA_PYTHON names no interpreter: see quality/README.md")
    console.configure(quiet=True)
    source = quality.rotated()
    reference = quality.said(source)
    bundle = asked.bundle or built(source.path, asked.recipe)
    ours, rows = told_of(bundle, reference), list(quality.llama_rows(list(asked.types), source, reference))
    peer = judged(ours, rows)
    gguf = cache.root() / "benchmark-llama" / source.model.sha256[:16] / f"{peer['name']}.gguf"
    for row in (ours, peer):
        print(f"speed: {row['engine']} {row['name']}: {row['mb']:.1f} MB, KL {row['kl_mean']:.4f}", flush=True)
    began = busy()
    with Side(sys.executable, "edgekit", bundle) as left, Side(python, "llama", gguf) as right:
        taken = paired(left, right, asked.pairs)
    ratios, samples = {}, {}
    for name, work in taken.items():
        ratios[name] = ratio(work["llama.cpp s"], work["edgekit s"])
        ratios[f"{name}, CPU"] = ratio(work["llama.cpp cpu_s"], work["edgekit cpu_s"])
        samples |= {f"{name}, {side}": values for side, values in work.items()}
    both = {
        "edgekit": fresh(sys.executable, "edgekit", bundle, "", asked.loads),
        "llama.cpp": fresh(python, "llama", gguf, "q8_0", asked.loads),
    }
    memory = {side: {name: statistics.median(values) for name, values in of.items()} for side, of in both.items()}
    for name, figure in {"load": "load_s", "peak memory": "peak_mb", "anonymous memory": "anon_mb"}.items():
        ratios[name] = ratio(both["llama.cpp"][figure], both["edgekit"][figure])
    for name, (middle, low, high) in ratios.items():
        aim = f", the aim is {AIMS[name]}: {'reached' if middle >= AIMS[name] else 'missed'}" if name in AIMS else ""
        print(f"speed: {name}: {middle:.2f} times llama.cpp's [{low:.2f}, {high:.2f}]{aim}")
    facts = {"bundle": ours, "peer": peer, "types": rows, "ratios": ratios, "memory": memory, "pairs": asked.pairs}
    beside = others(began)
    report("speed", samples, **facts, beside=beside)
    if beside > QUIET:
        print(f"speed: {OUT.name} is not written: the machine was not quiet")
        return
    OUT.parent.mkdir(exist_ok=True)
    machine = f"{quality._processor()}, {os.cpu_count()} cores"
    OUT.write_text(json.dumps({"machine": machine, "threads": THREADS, **facts, "samples": samples}, indent=1) + "\n")


if __name__ == "__main__":
    main()
