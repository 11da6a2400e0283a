"""Small real bundles with check data: made by the same stage, record and seal as every other, in about a second."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekit.bundle import aside, check_data
from edgekit.bundle.seal import seal
from edgekit.bundle.stage import stage
from edgekit.contract.manifest import Draft, Quality, RecipeFacts, SourceFacts, TargetFacts
from edgekit.data import digest
from edgekit.faces.python import FACE
from edgekit.kinds import Footprint
from edgekit.kinds.llm import LlmContract
from edgekit.kinds.tensor import TensorContract
from edgekit.kinds.variant import Compatibility, Variant
from edgekit.model import Kind, Model, Tensor
from edgekit.wrappers.python import npz
from edgekit.wrappers.python.manifest import host_abi, host_os
from tests.engines.wrappers.small_attention import attend
from tests.engines.wrappers.small_models import END, TEMPLATE, VOCABULARY, write_llm
from tests.unit.wrappers.python import golden_cases

MAX_LENGTH = 128
CLASSES = 6


def seal_tensor(folder: Path, batch: int | str = "n") -> Path:
    """A net of two layers: float images in, float scores, the best class and a flag out.

    Args:
        batch: how many images, or the name of a size that varies, which the compilers of accelerators do not take.
    """
    model = folder / "model"
    model.mkdir(parents=True)
    write_tensor(model / "model.onnx", batch)
    (model / "labels.txt").write_text("".join(f"class {at}\n" for at in range(CLASSES)), encoding="utf-8")
    random = np.random.default_rng(7)
    feeds = [{"x": random.normal(size=(1, 3, 8, 8)).astype(np.float32)} for _ in range(3)]
    if not isinstance(batch, int):
        feeds.append({"x": random.normal(size=(2, 3, 8, 8)).astype(np.float32)})  # another workload
    image = Tensor(name="x", dtype="float32", shape=(batch, 3, 8, 8))
    contract = TensorContract(
        inputs=(image,),
        outputs=(
            Tensor(name="scores", dtype="float32", shape=(batch, CLASSES)),
            Tensor(name="best", dtype="int64", shape=(batch,)),
            Tensor(name="sure", dtype="bool", shape=(batch, CLASSES)),
        ),
        labels="model/portable/labels.txt",
    )
    made = _draft("small-tensor", "tensor", contract, "model/portable/model.onnx")
    return _seal(folder / "small-tensor", made, model, feeds)


def seal_pictures(folder: Path, dtype: str = "float32") -> Path:
    """A net that gives back the array that a picture became; how it becomes it is for the test to say."""
    model = folder / "model"
    model.mkdir(parents=True)
    code = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    sides = [[helper.make_tensor_value_info(name, code, [f"{name}{at}" for at in range(4)])] for name in "xy"]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "same", *sides)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (model / "model.onnx").write_bytes(made.SerializeToString())
    inputs, outputs = ((Tensor(name=name, dtype=dtype, shape=(None,) * 4),) for name in "xy")
    contract = TensorContract(inputs=inputs, outputs=outputs)
    feeds = [{"x": np.zeros((1, 3, 2, 2), dtype)}]
    return _seal(
        folder / f"same-{dtype}", _draft("same", "tensor", contract, "model/portable/model.onnx"), model, feeds
    )


def classes(manifest: dict[str, Any]) -> None:
    """Say in the manifest of seal_tensor's net that it tells classes of pictures."""
    manifest["contract"]["decode"] = "classes"
    manifest["contract"]["inputs"][0]["preprocess"] = {"kind": "image", "resample": "lanczos", "fit": "crop-center"}


def pixels(manifest: dict[str, Any]) -> None:
    """Say in the manifest of seal_pictures's net of bytes that it takes a picture's pixels as they are."""
    manifest["contract"]["inputs"][0]["preprocess"] = {"kind": "image", "layout": "NHWC", "scale": 1.0}


def seal_cases(folder: Path, names: list[str] | None = None) -> Path:
    """The net of golden_cases.py, which gives back what it is fed.

    Args:
        names: the goldens are those of these cases; else what the net answered.
    """
    model = folder / "model"
    model.mkdir(parents=True)
    write_same(model / "model.onnx")
    named = golden_cases.answers()
    feeds = [
        {name.partition(".")[2]: array for name, array in named.items() if name.startswith(f"{at}.")}
        for at in range(golden_cases.INPUTS)
    ]
    inputs = tuple(
        Tensor(name=name, dtype=str(array.dtype), shape=(None,) * array.ndim) for name, array in feeds[0].items()
    )
    outputs = tuple(one.model_copy(update={"name": one.name.replace("x", "y")}) for one in inputs)
    contract = TensorContract(inputs=inputs, outputs=outputs)
    made = _draft("golden-cases", "tensor", contract, "model/portable/model.onnx")
    goldens = None if names is None else golden_cases.goldens(names)
    return _seal(folder / "golden-cases", made, model, feeds, goldens)


def seal_llm(
    folder: Path,
    *,
    pruned: bool = False,
    template: str = TEMPLATE,
    max_length: int = MAX_LENGTH,
    border: int | None = None,
    begins: bool = False,
    adapters: tuple[str, ...] = (),
    int8_cache: bool = False,
) -> Path:
    """The model of small_models.py; with `int8_cache`, that of small_attention.py."""
    name = "small-pruned" if pruned else "small-bordered" if border else "small-begun" if begins else "small-llm"
    made_with: dict[str, Any] = {"max_length": max_length, "pruned": pruned, "border": border, "begins": begins}
    made_with["adapters"] = adapters
    write_llm(folder / name / "model", template=template, **made_with)
    if int8_cache:
        attend(folder / name / "model", max_length)
    contract = LlmContract(
        eos_token_ids=(END,),
        context_length=max_length,
        max_length=max_length,
        vocab_size=VOCABULARY,
        chat_template_sha256=digest(template),
        reread_beyond=border,
        prefix_token_ids=(END,) if begins else (),
        adapters=adapters,
    )
    made = _draft(name, "llm", contract, "model/portable")
    return _seal(folder / name / name, made, folder / name / "model", None)


def copy(bundle: Path, to: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(bundle, to)
    for path in to.rglob("*"):
        path.chmod(0o755)
    return to


def write_tensor(path: Path, n: int | str = "n") -> None:
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
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [n, 3, 8, 8])],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [n, CLASSES]),
            helper.make_tensor_value_info("best", TensorProto.INT64, [n]),
            helper.make_tensor_value_info("sure", TensorProto.BOOL, [n, CLASSES]),
        ],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def write_same(path: Path) -> None:
    """The net of golden_cases.py: y3 is x3."""
    sides = [
        [
            helper.make_tensor_value_info(
                f"{letter}{n}",
                helper.np_dtype_to_tensor_dtype(case.here[0].dtype),
                [f"{letter}{n}d{at}" for at in range(case.here[0].ndim)],
            )
            for n, case in enumerate(golden_cases.CASES.values())
        ]
        for letter in "xy"
    ]
    nodes = [helper.make_node("Identity", [f"x{n}"], [f"y{n}"]) for n in range(len(golden_cases.CASES))]
    graph = helper.make_graph(nodes, "same", *sides)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _draft(name: str, kind: Kind, contract: LlmContract | TensorContract, path: str) -> Draft:
    runs_on: dict[str, Any] = {"os": (host_os(),), "abi": (host_abi(), "arm64-v8a")}
    target = {"name": "here", "title": "here", "status": "supported", "status_reason": "a test", "runtime": ()}
    return Draft(
        name=name,
        target=TargetFacts(os=host_os(), abi=runs_on["abi"], sha256="0" * 64, **target),
        model=Model(name=name, kind=kind, sha256="1" * 64),
        source=SourceFacts(ref=name, kind="onnx", sha256="1" * 64, license="MIT"),
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
        memory=Footprint(mapped_bytes=1, predicted_peak_bytes=1),
    )


def _seal(
    destination: Path,
    made: Draft,
    model: Path,
    feeds: list[dict[str, Any]] | None,
    goldens: dict[str, Any] | None = None,
) -> Path:
    with aside.workspace(destination) as room:
        stage(room / "new", made, {"model/portable": model}, FACE.files(), {"LICENSE.txt": "MIT\n"})
        check_data.write_check(room / "new", made, feeds)
        if goldens is not None:
            path = room / "new/check/goldens.npz"
            npz.write(path, goldens | {"recorded_on": npz.read(path)["recorded_on"]})
        seal(room / "new", made, {"portable": Quality(verdict="pass", mode="off")}, destination)
    return destination
