"""What decides the speed of a bundle: the engine's options and what the graph says to its kernels, each changed alone.

    python benchmarks/speed_options.py [BUNDLE] [--only NAME ...] [--rounds N]

Each variant is a process with an open model; all are asked in turn, round after round. Printed are wall and CPU seconds
of prefill (512 tokens) and decoding (64) as times those of the bundle as it is (below 1 is faster), and the memory of
4,096 tokens. `quiet: no`: wall seconds are not to be believed, CPU seconds roughly. Block sizes are of other bundles:
give their bundles by --beside.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from _common import report, smollm2
from onnx import helper, numpy_helper
from speed import Side

SPINNING = "session.intra_op.allow_spinning"
OPTIONS: dict[str, dict[str, Any]] = {
    "no spinning": {SPINNING: "0"},
    "one thread": {"intra_op_num_threads": 1},
    "no arena": {"enable_cpu_mem_arena": False},
    "no memory pattern": {"enable_mem_pattern": False},
    "no prepacking": {"session.disable_prepacking": "1"},
    "device allocator for weights": {"session.use_device_allocator_for_initializers": "1"},
    "denormals as zero": {"session.set_denormal_as_zero": "1"},
    "dynamic blocks": {"session.dynamic_block_base": "4"},
}
WORK = {"prefill": ["prefill", 512], "decode": ["decode", 64, 0]}


def overlay(options: dict[str, Any]) -> str:
    """These options of a session, as JSON that is laid over genai_config.json."""
    return json.dumps({"model": {"decoder": {"session_options": options}}})


def accuracy(model: onnx.ModelProto, level: int) -> None:
    """What MatMulNBits computes in: 4 is int8, 1 float32."""
    for node in model.graph.node:
        if node.op_type == "MatMulNBits":
            kept = [attribute for attribute in node.attribute if attribute.name != "accuracy_level"]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute("accuracy_level", level)])


def pruned(model: onnx.ModelProto) -> None:
    """Logits of the last token alone: what the last product reads is cut to its last row."""
    last = next(node for node in model.graph.node if "logits" in node.output)
    ends = {"begin": [-1], "end": [2**31 - 1], "axis": [1]}
    for name, value in ends.items():
        model.graph.initializer.append(numpy_helper.from_array(np.array(value), f"cut.{name}"))
    cut = helper.make_node("Slice", [last.input[0], *(f"cut.{name}" for name in ends)], ["cut.last"])
    last.input[0] = "cut.last"
    logits = next(output for output in model.graph.output if output.name == "logits")
    logits.type.tensor_type.shape.dim[1].dim_value = 1  # what the engine makes room for
    nodes = list(model.graph.node)
    at = next(at for at, node in enumerate(nodes) if node is last or "logits" in node.output)
    del model.graph.node[:]
    model.graph.node.extend([*nodes[:at], cut, *nodes[at:]])


def changed(folder: Path, to: Path, change: Any) -> Path:
    """The folder with another graph, beside the same weights."""
    to.mkdir()
    for path in folder.iterdir():
        if path.name != "model.onnx" and path.is_file():
            os.link(path, to / path.name)
    model = onnx.load(str(folder / "model.onnx"), load_external_data=False)
    change(model)
    onnx.save(model, str(to / "model.onnx"))
    return to


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", type=Path)
    parser.add_argument("--beside", nargs="*", type=Path, default=[])
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    sys.argv[1:] = [str(asked.bundle)] if asked.bundle else []
    (folder,) = (path for path in (smollm2() / "model").iterdir() if path.is_dir())
    with ExitStack() as opened:
        scratch = Path(opened.enter_context(tempfile.TemporaryDirectory(dir=folder.parents[1])))
        graphs = {
            "accuracy level 1": lambda model: accuracy(model, 1),
            "accuracy level 0": lambda model: accuracy(model, 0),
            "pruned head": pruned,
        }
        variants: dict[str, tuple[Path, str]] = {"as it is": (folder, "")}
        wanted = asked.only or [*OPTIONS, *graphs]
        variants |= {name: (folder, overlay(options)) for name, options in OPTIONS.items() if name in wanted}
        for name, change in graphs.items():
            if name in wanted:
                variants[name] = changed(folder, scratch / name.replace(" ", "-"), change), ""
        for path in asked.beside:
            (other,) = (inner for inner in (path / "model").iterdir() if inner.is_dir())
            variants[path.parent.name] = other, ""
        sides = {
            name: opened.enter_context(Side(sys.executable, "folder", path, over))
            for name, (path, over) in variants.items()
        }
        taken: dict[str, list[float]] = {}
        for turn in range(asked.rounds + 1):
            for work, words in WORK.items():
                for name, side in sides.items():
                    told = side.ask(words)
                    for unit in ("s", "cpu_s") if turn else ():
                        taken.setdefault(f"{name}: {work} {unit}", []).append(told[unit])
        memory = {name: side.ask(["fill", 4096]) for name, side in sides.items()}
    for name in variants:
        figures = []
        for work in WORK:
            for unit in ("s", "cpu_s"):
                pairs = zip(taken[f"{name}: {work} {unit}"], taken[f"as it is: {work} {unit}"], strict=True)
                figures.append(f"{work} {unit} {statistics.median(own / plain for own, plain in pairs):.2f}")
        print(f"{name}: {', '.join(figures)}, peak {memory[name]['peak_mb']:.0f} MB", flush=True)
    report("speed_options", taken, memory=memory)


if __name__ == "__main__":
    main()
