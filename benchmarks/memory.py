"""The memory of language models that run here, by recipe and length of the prompt: what edgekit/predict/memory.py says.

python benchmarks/memory.py [BUNDLE ...]    writes edgekit/fit/memory.toml; without bundles SmolLM2 is built by each
recipe. Every second row is fitted, the others are predicted: the aim is 15 % in the median and 30 % at worst.
"""

from __future__ import annotations

import datetime
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from _common import EDGEKIT, ROOT

from edgekit import target
from edgekit.fit import memory

MODEL = "smollm2-135m-instruct"
RECIPES = ("int4_rtn", "int4_kquant", "int4_mixed", "int8_rtn", "llm_float16", "llm_float32")
TOKENS = (32, 512, 1536)
MEDIAN, WORST = 0.15, 0.30
# A process of its own: reads a prompt of so many tokens, answers eight, and says how much it had at most.
CHILD = """
import sys
from edgekit.wrappers.python import open_bundle

def footprint():
    lines = [line.split() for line in open("/proc/self/smaps_rollup")]
    kept = {parts[0]: int(parts[1]) << 10 for parts in lines if len(parts) > 2 and parts[2] == "kB"}
    return kept["Pss:"] + kept["SwapPss:"]

bundle, most = open_bundle(sys.argv[1]), 0
for piece in bundle.generate("the sea is " * (int(sys.argv[2]) // 3), max_tokens=8):
    most = max(most, footprint())
print(max(most, footprint()))
"""


def rows(bundle: Path) -> list[dict[str, int | str]]:
    """What a bundle takes with each length."""
    manifest = json.loads((bundle / "edgekit.json").read_text(encoding="utf-8"))
    engine = target.load(manifest["target"]["name"]).settings("llm").memory.engine_bytes
    taken = manifest["memory"]
    measured = []
    for tokens in TOKENS:
        command = [sys.executable, "-c", CHILD, str(bundle), str(tokens)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
        row = {
            "recipe": manifest["recipe"]["name"],
            "vocabulary": manifest["contract"]["vocab_size"],
            "weights": taken["mapped_bytes"],
            "cache_per_token": taken["kv_bytes_per_token"],
            "tokens": tokens,
            "engine": engine,
            "measured": int(done.stdout.split()[-1]),
        }
        print(row, flush=True)
        measured.append(row)
    return measured


def build(recipe: str, folder: Path) -> Path:
    """A bundle of MODEL."""
    options = ["--target", "linux-cpu", "--recipe", recipe, "--quality", "off", "-o", str(folder / recipe), "--json"]
    done = subprocess.run([*EDGEKIT, "build", MODEL, *options], check=True, stdout=subprocess.PIPE)
    return Path(json.loads(done.stdout)["data"]["bundles"][0]["path"])


def write(table: list[dict[str, int | str]]) -> None:
    """The rows, as edgekit/fit/memory.py reads them."""
    head = {"model": MODEL, "machine": platform.machine(), "date": datetime.date.today().isoformat()}
    lines = ["# Written by benchmarks/memory.py.", *(f"{key} = {json.dumps(value)}" for key, value in head.items())]
    for row in table:
        lines += ["", "[[row]]", *(f"{key} = {json.dumps(value)}" for key, value in row.items())]
    (ROOT / "edgekit" / "fit" / "memory.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> int:
    """Measure, write, and say how good the predictions are."""
    with tempfile.TemporaryDirectory() as folder:
        bundles = [Path(word) for word in sys.argv[1:]] or [build(recipe, Path(folder)) for recipe in RECIPES]
        write([row for bundle in bundles for row in rows(bundle)])
    memory.measured.cache_clear()
    memory.coefficient.cache_clear()
    errors = [each.error for each in memory.figures() if each.error is not None]
    middle, worst = statistics.median(errors), max(errors)
    print(f"memory: of {len(errors)} predictions {middle:.1%} off in the median, {worst:.1%} at worst")
    return 0 if middle <= MEDIAN and worst <= WORST else 1


if __name__ == "__main__":
    sys.exit(main())
