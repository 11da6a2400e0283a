"""`edgekit check --ab` live: a bundle beside itself, and beside one that does 5 % more work.

The nets are chains of equal convolutions, 100 and 105 of them, so the true ratio of their latencies is known. The aim:
"no difference" for the first pair, a ratio near 1.05 for the second.

    python benchmarks/ab.py [OPTIONS OF CHECK]      on a busy machine, as root:
    chrt -f 10 taskset -c 1 python benchmarks/ab.py --threads 1 --blocks 8
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from _common import EDGEKIT, report
from onnx import TensorProto, helper, numpy_helper

LAYERS = {"a": 100, "same": 100, "more": 105}
AIM = 0.02  # from the true ratio


def write(path: Path, layers: int) -> None:
    """x [1, 16, 32, 32] through so many 3x3 convolutions."""
    random = np.random.default_rng(1)
    nodes, weights, last = [], [], "x"
    for at in range(layers):
        kernel = (random.normal(size=(16, 16, 3, 3)) * 0.11).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"w{at}"))
        nodes.append(helper.make_node("Conv", [last, f"w{at}"], [f"c{at}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Tanh", [f"c{at}"], [f"y{at}"]))
        last = f"y{at}"
    shape = [1, 16, 32, 32]
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, shape)],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def build(folder: Path, name: str) -> Path:
    """The bundle of a net as it is, in float32."""
    write(folder / f"{name}.onnx", LAYERS[name])
    command = [*EDGEKIT, "build", str(folder / f"{name}.onnx"), "--target", "linux-cpu", "--recipe", "float32"]
    command += ["--quality", "off", "-o", str(folder / "out"), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return Path(json.loads(done.stdout)["data"]["bundles"][0]["path"])


with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    bundles = {key: build(folder, key) for key in LAYERS}
    samples, facts = {}, {}
    for other, truth in (("same", 1.0), ("more", 1.05)):
        out = folder / f"{other}.json"
        command = [
            *EDGEKIT,
            "check",
            str(bundles["a"]),
            "--ab",
            str(bundles[other]),
            "-q",
            "-o",
            str(out),
            *sys.argv[1:],
        ]
        subprocess.run(command, check=True)
        found = json.loads(out.read_text(encoding="utf-8"))
        ratio = next(one for one in found["ratios"] if one["metric"] == "latency_p50_ms")
        samples[other] = [value for block in found["blocks"]["latency_p50_ms"] for value in block]
        facts[other] = {key: ratio.get(key) for key in ("verdict", "ratio", "low", "high", "blocks")}
        facts[other] |= {"truth": truth, "reached": abs(ratio["ratio"] / truth - 1) <= AIM}
    report("ab", samples, unit="ms", aim=AIM, **facts)
