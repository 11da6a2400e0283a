"""Small real bundles with check data: made by the same stage, record and seal as every other, in about a second."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from small_models import END, TEMPLATE, VOCABULARY, write_llm

from edgekit.bundle import aside, check_data
from edgekit.bundle.manifest import (
    Compatibility,
    LlmContract,
    Manifest,
    Memory,
    Quality,
    RecipeFacts,
    SourceFacts,
    TargetFacts,
    TensorContract,
    Variant,
)
from edgekit.bundle.runtime import OWN
from edgekit.bundle.seal import seal
from edgekit.bundle.stage import stage
from edgekit.data import digest
from edgekit.model import Kind, Model, Tensor
from edgekit.wrappers.python.manifest import host_abi, host_os

MAX_LENGTH = 128
CLASSES = 6


def seal_tensor(folder: Path) -> Path:
    """A net of two layers: float image in, float scores, the best class and a flag out."""
    model = folder / "model"
    model.mkdir(parents=True)
    write_tensor(model / "model.onnx")
    (model / "labels.txt").write_text("".join(f"class {at}\n" for at in range(CLASSES)), encoding="utf-8")
    random = np.random.default_rng(7)
    feeds = [{"x": random.normal(size=(1, 3, 8, 8)).astype(np.float32)} for _ in range(3)]
    feeds.append({"x": random.normal(size=(2, 3, 8, 8)).astype(np.float32)})  # another workload
    image = Tensor(name="x", dtype="float32", shape=("n", 3, 8, 8))
    contract = TensorContract(
        inputs=(image,),
        outputs=(
            Tensor(name="scores", dtype="float32", shape=("n", CLASSES)),
            Tensor(name="best", dtype="int64", shape=("n",)),
            Tensor(name="sure", dtype="bool", shape=("n", CLASSES)),
        ),
        labels="model/portable/labels.txt",
    )
    made = _draft("small-tensor", "tensor", contract, "model/portable/model.onnx")
    return _seal(folder / "small-tensor", made, model, feeds)


def seal_llm(folder: Path, *, pruned: bool = False, template: str = TEMPLATE, max_length: int = MAX_LENGTH) -> Path:
    """The model of small_models.py."""
    name = "small-pruned" if pruned else "small-llm"
    write_llm(folder / name / "model", max_length=max_length, pruned=pruned, template=template)
    contract = LlmContract(
        eos_token_ids=(END,),
        context_length=max_length,
        max_length=max_length,
        vocab_size=VOCABULARY,
        chat_template_sha256=digest(template),
    )
    made = _draft(name, "llm", contract, "model/portable")
    return _seal(folder / name / name, made, folder / name / "model", None)


def copy(bundle: Path, to: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(bundle, to)
    for path in to.rglob("*"):
        path.chmod(0o755)
    return to


def write_tensor(path: Path) -> None:
    """x [n, 3, 8, 8] -> scores [n, CLASSES], best [n], sure [n, CLASSES]."""
    random = np.random.default_rng(3)
    weights = {
        "kernel": random.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "dense": random.normal(size=(4, CLASSES)).astype(np.float32),
        "flat": np.array([0, -1], dtype=np.int64),
        "zero": np.array(0, dtype=np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["features"]),
        helper.make_node("Relu", ["features"], ["active"]),
        helper.make_node("GlobalAveragePool", ["active"], ["pooled"]),
        helper.make_node("Reshape", ["pooled", "flat"], ["row"]),
        helper.make_node("MatMul", ["row", "dense"], ["scores"]),
        helper.make_node("ArgMax", ["scores"], ["best"], axis=1, keepdims=0),
        helper.make_node("Greater", ["scores", "zero"], ["sure"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", CLASSES]),
            helper.make_tensor_value_info("best", TensorProto.INT64, ["n"]),
            helper.make_tensor_value_info("sure", TensorProto.BOOL, ["n", CLASSES]),
        ],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _draft(name: str, kind: Kind, contract: LlmContract | TensorContract, path: str) -> Manifest:
    runs_on: dict[str, Any] = {"os": (host_os(),), "abi": (host_abi(), "arm64-v8a")}
    target = {"name": "here", "title": "here", "status": "supported", "status_reason": "a test", "runtime": ()}
    return Manifest(
        name=name,
        target=TargetFacts(os=host_os(), abi=runs_on["abi"], sha256="0" * 64, **target),
        model=Model(name=name, kind=kind, sha256="1" * 64),
        source=SourceFacts(ref=name, kind="onnx", sha256="1" * 64, licence="MIT"),
        recipe=RecipeFacts(name="float32", summary="as it is", precision="float32", sha256="2" * 64),
        tools={"onnx": onnx.__version__},
        variants=(
            Variant(
                name="portable",
                path=path,
                ep="cpu",
                compatibility=Compatibility(
                    min_onnxruntime="1.20", min_onnxruntime_genai="0.14.1" if kind == "llm" else None, **runs_on
                ),
            ),
        ),
        contract=contract,
        memory=Memory(mapped_bytes=1, predicted_peak_bytes=1),
        quality=Quality(verdict="pass", mode="off"),
    )


def _seal(destination: Path, made: Manifest, model: Path, feeds: list[dict[str, Any]] | None) -> Path:
    with aside.workspace(destination) as room:
        stage(room / "new", made, {"model/portable": model}, OWN, {"LICENSE.txt": "MIT\n"})
        check_data.write_check(room / "new", made, feeds)
        seal(room / "new", made, destination)
    return destination
