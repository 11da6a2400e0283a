"""Build models by Olive as it is and by module, each in a process of its own; Olive is imported once.

python by_module.py OUT CASE=SOURCE:RECIPE...

Leaves OUT/CASE/optimize/.NAME.PART/model of the parts olive and ours, and for the cases of AT of resumed: of a build
that died by SIGKILL while a module was written, and was begun again. Prints, by case and part, how each ended and how
many modules it wrote.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit import plan, sources, target
from edgekit.data import file_digest
from edgekit.inputs.llm_texts import open_text
from edgekit.jobs.olive import builder, checkpoint, run, surgeries
from edgekit.plan import Plan
from edgekit.recipes import _olive

AT = {"tied": 5, "calibrated": 10}  # the module that a killed build does not finish, of these cases
NAMES = {"killed": "same", "resumed": "same"}  # of the cache's entry, as edgekit.cache names what is being made
TEXT = Path(__file__).parents[2] / "edgekit" / "recipes" / "data" / "calibration.txt"


def build(made: Plan, source: Path, work: Path) -> None:
    """A plan's model in work/model."""
    work.mkdir(parents=True)
    (work / "texts").mkdir()
    open_text(TEXT).write_feeds(work / "texts")
    request = {
        "config": made.optimize_step(made.main).config,
        "source": str(source),
        "work": str(work),
        "calibration": str(work / "texts"),
        "expected": list(made.expected_files),
    }
    run.optimize(request, lambda event, **data: None)


def apart(do: Callable[[], None], told: Path, die: int = 0) -> dict[str, Any]:
    """In a forked process: how it ended, and how many modules it wrote whole."""
    child = os.fork()
    if child == 0:
        count(told, die)
        try:
            do()
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {"ended": ended, "written": len(told.read_text().splitlines()) if told.is_file() else 0}


def count(told: Path, die: int) -> None:
    """Note every module that is written; at module number `die` the process dies, and leaves half a file."""
    write = checkpoint._write

    def noted(path: Path, tensors: dict[str, Any], settings: str = "") -> None:
        if path.name == checkpoint.HIDDEN:
            write(path, tensors, settings)
            return
        before = len(told.read_text().splitlines()) if told.is_file() else 0
        if before + 1 == die:
            path.with_suffix(".new").write_bytes(b"half of it")
            os.kill(os.getpid(), signal.SIGKILL)
        write(path, tensors, settings)
        with told.open("a") as stream:
            stream.write(f"{path.name}\n")

    checkpoint._write = noted


def as_it_is() -> None:
    """Leave Olive alone in this process."""
    checkpoint.install = lambda folder: None
    builder.install = surgeries.install = lambda: None


def cut(out: Path) -> dict[str, list[str]]:
    """The digests of a graph's files, by Olive's pass with each of these surgeons, and then by ours."""
    from olive.model import ONNXModelHandler
    from olive.passes.olive_pass import create_pass_from_dict
    from olive.passes.onnx.graph_surgeries import GraphSurgeries

    from edgekit import registry
    from edgekit.passes import PASSES
    from edgekit.recipes import _olive

    source = small_graph(out / "graph")
    named = {"source": str(source)}
    surgeons: dict[str, list[dict[str, str]]] = {
        "halves": [{"surgeon": "EdgekitHalfWeights"}],
        "tables": [{"surgeon": "EdgekitLocalRope", **named}, {"surgeon": "EdgekitNormEpsilon", **named, "key": "none"}],
        "whole": [{"surgeon": "InferShapes"}, {"surgeon": "EdgekitHalfWeights"}],
    }
    for step in surgeons.values():
        for surgeon in step:
            if surgeon["surgeon"] in PASSES:
                registry.named(PASSES[surgeon["surgeon"]].module)
    told: dict[str, list[str]] = {}
    for whose in ("olive", "ours"):
        if whose == "ours":
            surgeries.install()
        for name, step in surgeons.items():
            pass_ = create_pass_from_dict(GraphSurgeries, {"surgeries": step, **_olive.ONE_FILE}, disable_search=True)
            made = pass_.run(ONNXModelHandler(str(source), onnx_file_name="model.onnx"), str(out / whose / name))
            files = sorted(Path(made.model_path).parent.iterdir())
            told.setdefault(name, []).append(" ".join(f"{path.name} {file_digest(path)}" for path in files))
    return told


def small_graph(folder: Path) -> Path:
    """A graph with two equal matrices and the tables of Gemma 3's local layers, all of it beside the graph."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"rope_scaling": {"factor": 8}, "rope_local_base_freq": 10000.0}))
    draw = np.random.default_rng(0)
    matrix = draw.standard_normal((64, 96)).astype(np.float32)
    weights = {
        "embeddings": draw.standard_normal((700, 64)).astype(np.float32),
        "left": matrix,
        "right": matrix.copy(),
        "cos_cache_local": np.ones((40, 8), np.float32),
        "sin_cache_local": np.zeros((40, 8), np.float32),
        "bias": np.ones(96, np.float32),
    }
    nodes = [
        helper.make_node("Gather", ["embeddings", "input_ids"], ["states"]),
        helper.make_node("MatMul", ["states", "left"], ["a"]),
        helper.make_node("MatMul", ["states", "right"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["sum"]),
        helper.make_node("Add", ["sum", "bias"], ["logits"]),
        helper.make_node("SimplifiedLayerNormalization", ["logits", "bias"], ["normal"]),
        helper.make_node("Add", ["cos_cache_local", "sin_cache_local"], ["tables"]),
    ]
    outputs = {"normal": ["rows", "columns", 96], "tables": [40, 8]}
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["rows", "columns"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    beside = {"save_as_external_data": True, "location": "model.onnx.data", "size_threshold": 0}
    onnx.save_model(model, str(folder / "model.onnx"), **beside)
    return folder


def main(out: Path, cases: list[str]) -> None:
    """Each case by both, the first killed too."""
    import olive.workflows  # noqa: F401

    checkpoint.PIECE = 1000  # many pieces, of tiny matrices too
    _olive.SAMPLE_TOKENS = 32  # calibration is not what is looked at
    told: dict[str, dict[str, Any]] = {}
    for case in cases:
        name, _, what = case.partition("=")
        folder, _, recipe = what.rpartition(":")
        opened = sources.open_source(folder)
        made, home = plan.make(opened.model, target.load("linux-cpu"), recipe=recipe), out / name
        home.mkdir(parents=True)

        def do(part: str, made: Plan = made, path: Path = opened.path, home: Path = home) -> None:
            if part == "olive":
                as_it_is()
            build(made, path, home / "optimize" / f".{NAMES.get(part, part)}.{part}")

        told[name] = {part: apart(lambda part=part: do(part), home / f"{part}.txt") for part in ("olive", "ours")}
        if name in AT:
            told[name]["killed"] = apart(lambda: do("killed"), home / "killed.txt", AT[name])
            told[name]["resumed"] = apart(lambda: do("resumed"), home / "resumed.txt")
    (out / "cut.json").write_text(json.dumps(cut(out / "cut")))
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
