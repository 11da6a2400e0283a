"""A small real bundle with golden answers, and one whose runtime misbehaves as it is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from edgekit.bundle import aside
from edgekit.bundle.check_data import write_check
from edgekit.bundle.runtime import WRAPPER
from edgekit.bundle.seal import seal
from edgekit.bundle.stage import stage
from edgekit.contract.manifest import Manifest, Quality
from edgekit.faces.python import FACE
from edgekit.kinds import Footprint
from edgekit.kinds.tensor import TensorContract
from edgekit.model import Model, Tensor
from tests.unit.bundle import tiny_bundle

WIDTH = 512  # the weights are WIDTH x WIDTH float32, 1 MiB, and there are two of them
ODD = "model/portable/weiße Gewichte v2.data"  # a path as people write them

# A runtime whose every action goes wrong in its own way; the action's name picks which.
MISBEHAVING = """
import json, os, pathlib, signal, sys, time
request = pathlib.Path(sys.argv[1])
asked = json.loads(request.read_text())
action = asked["action"]
print(json.dumps({"event": "progress", "text": "begun"}), flush=True)
if action == "hang":
    time.sleep(600)
elif action == "die":
    os.kill(os.getpid(), signal.SIGKILL)
elif action == "raise":
    raise ValueError("the reason")
elif action == "fill":
    with open(asked["file"], "wb") as filler:
        try:
            while True:
                filler.write(bytes(65536))
        finally:
            filler.flush()
elif action == "garbage":
    request.with_name("outcome.json").write_bytes(bytes(range(256)))
elif action == "noise":
    print("no event at all")
    print("[1, 2]")
    request.with_name("outcome.json").write_text('{"answer": 42}')
elif action == "where":
    outcome = {"cwd": os.getcwd(), "telemetry": os.environ.get("ORT_DISABLE_TELEMETRY"), "pid": os.getpid()}
    request.with_name("outcome.json").write_text(json.dumps(outcome))
"""


def build(folder: Path, *, name: str = "tiny-linux-cpu", seed: int = 0, runtime: str | None = None) -> Manifest:
    """Build a bundle at `folder`: y = relu(x a) b.

    Args:
        seed: of the second weight; the first is the same in every bundle.
        runtime: text of a runtime of one file instead of the Python wrapper.
    """
    feature = Tensor(name="x", dtype="float32", shape=("n", WIDTH))
    outputs = (Tensor(name="y", dtype="float32", shape=("n", WIDTH)),)
    draft = tiny_bundle.draft(
        name,
        target=tiny_bundle.draft().target.model_copy(update={"abi": ("x86_64", "aarch64")}),
        model=Model(name="tiny", kind="tensor", sha256="1" * 64, inputs=(feature,)),
        contract=TensorContract(inputs=(feature,), outputs=outputs),
        memory=Footprint(mapped_bytes=8 * WIDTH * WIDTH, predicted_peak_bytes=10**7),
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with aside.workspace(folder) as room:
        made = room / "model"
        made.mkdir()
        _write_model(made, seed)
        staged = room / "new"
        stage(staged, draft, {"model/portable": made}, FACE.files(), {"LICENSE.txt": "MIT\n"})
        feeds = [{"x": np.random.default_rng(at).normal(size=(2, WIDTH)).astype(np.float32)} for at in range(3)]
        write_check(staged, draft, feeds)
        if runtime is not None:
            for path in sorted((staged / WRAPPER).rglob("*"), reverse=True):
                path.unlink()
            (staged / WRAPPER / "__main__.py").write_text(runtime, encoding="utf-8")
        return seal(staged, draft, {"portable": Quality(verdict="pass", mode="off")}, folder)


def _write_model(folder: Path, seed: int) -> None:
    weights = [np.random.default_rng(one).normal(size=(WIDTH, WIDTH)).astype(np.float32) / 16 for one in (99, seed)]
    tensors = [numpy_helper.from_array(weight, name) for weight, name in zip(weights, "ab", strict=True)]
    for tensor, file in zip(tensors, ("model.onnx.data", Path(ODD).name), strict=True):
        (folder / file).write_bytes(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", file), ("offset", "0"), ("length", str(4 * WIDTH * WIDTH))):
            tensor.external_data.add(key=key, value=value)
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "b"], ["y"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "tiny",
        [value("x", TensorProto.FLOAT, ["n", WIDTH])],
        [value("y", TensorProto.FLOAT, ["n", WIDTH])],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
