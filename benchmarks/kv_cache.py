"""An int8 key-value cache against the float one of the same weights: seconds a token, memory, and what it costs.

Both bundles are opened in one process, read one text to three depths, and answer there in turns of some tokens: float,
int8, int8, float. A second process opens them the other way round, for of two models in one process one may lie better.
The aims: three quarters of the float cache's memory are saved (measured, to within a tenth of what the manifests
predict), seconds a token are no more (the median of the turns' ratios at each depth, to within the 3 % that a pair of
equals differs by), and the mean KL divergence from the float cache is at most 0.01 at each depth.

    python benchmarks/kv_cache.py [TURNS]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _common import EDGEKIT, ROOT, report

from edgekit import tools

MODEL = "smollm2-135m-instruct"
DEPTHS = (128, 2048, 3968)
TOKENS = 16  # of a turn
COMPARED = 96  # predictions behind each depth
KL, SLOWER, SAVED = 0.01, 1.03, 0.9  # aims
TEXT = ROOT / "edgekit" / "quality" / "data" / "text"
CHILD = """
import json, sys, time
import onnxruntime_genai as og
from pathlib import Path
folders, depths, tokens, turns, text = *map(json.loads, sys.argv[1:5]), sys.argv[5]
def held():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("Rss:")).split()[1])
models = {bits: og.Model(folder) for bits, folder in folders.items()}
ids = og.Tokenizer(models["8"]).encode("\\n".join(path.read_text() for path in sorted(Path(text).iterdir())))
params = {bits: og.GeneratorParams(model) for bits, model in models.items()}
generators = {}
for bits, each in params.items():
    each.set_search_options(do_sample=False, max_length=4096)
    generators[bits] = og.Generator(models[bits], each)
grown, read = dict.fromkeys(models, 0), dict.fromkeys(models, 0.0)
seconds = {bits: {depth: [] for depth in depths} for bits in models}
at = 0
for depth in depths:
    for bits, generator in generators.items():
        before, began = held(), time.perf_counter()
        for start in range(at, depth, 128):
            generator.append_tokens(ids[start : min(start + 128, depth)])
        read[bits] += time.perf_counter() - began
        grown[bits] += held() - before
        generator.generate_next_token()
    at = depth
    for turn in range(turns):
        for bits in list(models) if turn % 2 else list(models)[::-1]:
            generators[bits].rewind_to(depth)
            generators[bits].append_tokens(ids[depth : depth + 1])
            began = time.perf_counter()
            for _ in range(tokens):
                generators[bits].generate_next_token()
            seconds[bits][depth].append((time.perf_counter() - began) / tokens)
    for generator in generators.values():
        generator.rewind_to(depth)
print(json.dumps({"seconds": seconds, "read": read, "grown": grown}))
"""


def build(bits: int, folder: Path) -> Path:
    """A bundle with that cache; the gate is not asked."""
    options = ["--target", "linux-cpu", "--cache-bits", str(bits), "--quality", "off", "--json"]
    command = [*EDGEKIT, "build", MODEL, *options, "-o", str(folder / str(bits))]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return Path(json.loads(done.stdout)["data"]["bundles"][0]["path"])


def model(bundle: Path) -> Path:
    """The GenAI folder of a bundle."""
    return bundle / "model" / "portable"


def measure(bundles: dict[int, Path], turns: int) -> dict[str, Any]:
    """What a process tells, which opens the bundles in this order: by bits, seconds a token at each depth, bytes."""
    folders = json.dumps({str(bits): str(model(bundle)) for bits, bundle in bundles.items()})
    words = [folders, json.dumps(DEPTHS), json.dumps(TOKENS), json.dumps(turns), str(TEXT)]
    done = subprocess.run([sys.executable, "-c", CHILD, *words], check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def divergence(bundle: Path, folder: Path) -> list[float]:
    """Mean KL of the int8 cache's predictions behind each depth from those of the float one, in nats."""
    from tokenizers import Tokenizer

    tokenizer: Any = Tokenizer.from_file(str(model(bundle) / "tokenizer.json"))
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(TEXT.iterdir()))
    ids = list(tokenizer.encode(text).ids)
    places = [(depth, depth + COMPARED) for depth in DEPTHS]
    request = {"model": str(model(bundle)), "ids": ids[: places[-1][1]], "places": places, "out": str(folder)}
    child = tools.module("edgekit.quality._child_kv_cache")
    outcome = tools.job(child, request, folder, timeout=1800, what="the built model")
    return [statistics.mean(part) for part in outcome["kl"]]


def main() -> int:
    """Build, measure, and say which aims are met."""
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundles = {bits: build(bits, folder) for bits in (32, 8)}
        told = [measure(order, turns) for order in (bundles, dict(reversed(bundles.items())))]
        (folder / "kl").mkdir()
        kl = divergence(bundles[8], folder / "kl")
        stated = {bits: json.loads((it / "edgekit.json").read_text(encoding="utf-8")) for bits, it in bundles.items()}
    seconds = {
        (bits, depth): [1000 * second for each in told for second in each["seconds"][str(bits)][str(depth)]]
        for bits in bundles
        for depth in DEPTHS
    }
    ratios = {
        f"d{depth}": statistics.median(a / b for a, b in zip(seconds[8, depth], seconds[32, depth], strict=True))
        for depth in DEPTHS
    }
    predicted = {bits: each["memory"]["kv_bytes_at_max_length"] for bits, each in stated.items()}
    grown = {bits: statistics.mean(each["grown"][str(bits)] for each in told) for bits in bundles}
    read = statistics.median(each["read"]["8"] / each["read"]["32"] for each in told)
    saved, wanted = grown[32] - grown[8], predicted[32] - predicted[8]
    met = {
        "memory": saved >= SAVED * wanted and 4 * predicted[8] == predicted[32],
        "decode": all(ratio <= SLOWER for ratio in ratios.values()),
        "kl": all(mean <= KL for mean in kl),
    }
    report(
        "kv_cache",
        {f"{bits}@d{depth}": each for (bits, depth), each in seconds.items()},
        unit="ms a token",
        ratios={place: round(ratio, 3) for place, ratio in ratios.items()},
        read_ratio=round(read, 3),
        kl_mean={f"d{depth}": round(mean, 5) for depth, mean in zip(DEPTHS, kl, strict=True)},
        grown_mb={bits: round(size / 1e6, 1) for bits, size in grown.items()},
        predicted_mb={bits: round(size / 1e6, 1) for bits, size in predicted.items()},
        saved_mb=[round(saved / 1e6, 1), round(wanted / 1e6, 1)],
        met=met,
    )
    return 0 if all(met.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
