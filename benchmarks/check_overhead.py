"""Tokens a second by `edgekit check` against a bare loop around the engine. The aim: within 3 %.

Both read the same 128 tokens and generate 128 with end tokens forbidden, each round in processes of their own, in the
order check, bare, bare, check: what the machine does slowly falls on both alike.

    python benchmarks/check_overhead.py [BUNDLE] [ROUNDS]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from _common import EDGEKIT, ROOT, report

from edgekit.verdicts import ab

AIM = 0.03
MODEL = "smollm2-135m-instruct"
BARE = """
import json, sys, time
import numpy as np
import onnxruntime_genai as og

model = og.Model(sys.argv[1])
ids = np.asarray(json.loads(sys.argv[2]), dtype=np.int32)
speeds = []
for _ in range(12):
    options = og.GeneratorParams(model)
    options.set_search_options(max_length=len(ids) + 128, min_length=len(ids) + 128, do_sample=False)
    generator = og.Generator(model, options)
    generator.append_tokens(ids)
    generator.generate_next_token()
    started = time.perf_counter()
    for _ in range(127):
        generator.generate_next_token()
    speeds.append(127 / (time.perf_counter() - started))
print(json.dumps(speeds[2:]))
"""


def bundle() -> Path:
    """The bundle named on the command line, or the catalogue's, built if need be."""
    if len(sys.argv) > 1:
        return Path(sys.argv[1])
    command = [*EDGEKIT, "build", MODEL, "--target", "linux-cpu", "--quality", "fast", "--json"]
    done = subprocess.run([*command, "-o", str(ROOT / ".cache/bundles")], stdout=subprocess.PIPE, check=True)
    return Path(json.loads(done.stdout)["data"]["bundles"][0]["path"])


def checked() -> float:
    """decode_tps of one `edgekit check`."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        command = [*EDGEKIT, "check", str(BUNDLE), "--prompts", "128", "-q", "-o", str(out)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return statistics.fmean(json.loads(out.read_text(encoding="utf-8"))["raw"]["decode_tps"])


def bare() -> float:
    """The mean of ten answers of the bare loop."""
    model = next(path.parent for path in sorted(BUNDLE.glob("model/*/genai_config.json")))
    done = subprocess.run([sys.executable, "-c", BARE, str(model), json.dumps(IDS)], stdout=subprocess.PIPE, check=True)
    return statistics.fmean(json.loads(done.stdout))


def ids() -> list[int]:
    """The first 128 tokens of the bundle's own check text."""
    import numpy as np

    with np.load(BUNDLE / "check" / "inputs.npz") as arrays:
        tokens = arrays["token_ids"].tolist()
    return [int(tokens[at % len(tokens)]) for at in range(128)]


BUNDLE = bundle()
IDS = ids()
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 4
samples: dict[str, list[float]] = {"check": [], "bare": []}
blocks = []
for _ in range(ROUNDS):
    first, second, third, fourth = checked(), bare(), bare(), checked()
    samples["check"] += [first, fourth]
    samples["bare"] += [second, third]
    blocks.append((second, first, fourth, third))  # "B over A" is check over bare
ratio, low, high = ab.interval(blocks)
report(
    "check_overhead",
    samples,
    unit="tokens/s",
    ratio=round(ratio, 4),
    interval=[round(low, 4), round(high, 4)],
    aim=AIM,
    reached=abs(ratio - 1) <= AIM,
)
