"""A tiny real bundle: a layer with external data, made by the same stage and seal as every other bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekit.bundle import aside
from edgekit.bundle.manifest import (
    Manifest,
    Memory,
    Quality,
    RecipeFacts,
    SourceFacts,
    Stage,
    TargetFacts,
    TensorContract,
    Variant,
)
from edgekit.bundle.seal import seal
from edgekit.bundle.stage import stage, write
from edgekit.errors import BuildError
from edgekit.model import Model, Tensor

NAME = "tiny-linux-cpu"
SIZE = 96  # the weights are SIZE x SIZE float32: 36 KiB, more than one alignment of a zip


def draft(name: str = NAME, **changes: Any) -> Manifest:
    """A manifest without files, as a build makes it."""
    feature = Tensor(name="x", dtype="float32", shape=("n", SIZE))
    facts: dict[str, Any] = {
        "name": name,
        "target": TargetFacts(
            name="linux-cpu",
            title="Linux, CPU",
            status="supported",
            status_reason="tested",
            os="linux",
            abi=("x86_64",),
            sha256="0" * 64,
            runtime=(),
        ),
        "model": Model(name="tiny", kind="tensor", sha256="1" * 64, inputs=(feature,)),
        "source": SourceFacts(ref="tiny.onnx", kind="onnx", sha256="1" * 64, licence="MIT"),
        "recipe": RecipeFacts(
            name="float32",
            summary="kept as it is",
            precision="float32",
            sha256="2" * 64,
            stages=(Stage(stage="optimize", name="none", reason="it is small"),),
        ),
        "tools": {"onnx": onnx.__version__},
        "variants": (Variant(name="portable", path="model/portable/model.onnx", ep="cpu"),),
        "contract": TensorContract(
            inputs=(feature,),
            outputs=(Tensor(name="y", dtype="float32", shape=("n", SIZE)),),
            labels="model/portable/labels.txt",
        ),
        "memory": Memory(mapped_bytes=SIZE * SIZE * 4, predicted_peak_bytes=10**6),
        "quality": Quality(verdict="pass", mode="off"),
    }
    return Manifest(**(facts | changes))


def write_model(folder: Path, *, location: str = "model.onnx.data", length: int = SIZE * SIZE * 4) -> None:
    """model.onnx with its weights in model.onnx.data, and the labels."""
    weights = np.arange(SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE) / 1000
    tensor = numpy_helper.from_array(weights, "w")
    (folder / "model.onnx.data").write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", SIZE])],
        [tensor],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (folder / "labels.txt").write_text("a\nb\n", encoding="utf-8")


def origin(folder: Path) -> tuple[Path, Path]:
    """What a bundle is made of: a model folder (as the cache holds it) and a wrapper's folder."""
    model, runtime = folder / "model", folder / "runtime"
    for path in (model, runtime / "__pycache__"):
        path.mkdir(parents=True)
    write_model(model)
    (runtime / "__init__.py").write_text('"""A wrapper."""\n', encoding="utf-8")
    (runtime / "__pycache__" / "x.pyc").write_bytes(b"no part of a bundle")
    return model, runtime


def build(
    destination: Path, made_of: tuple[Path, Path], manifest: Manifest | None = None, **seal_options: Any
) -> Manifest:
    """Stage and seal, as edgekit build does."""
    manifest = manifest or draft()
    aside.check_destination(destination, manifest.name, **seal_options)
    with aside.workspace(destination) as room:
        staged = room / "new"
        stage(staged, manifest, {"model/portable": made_of[0]}, made_of[1], {"LICENSE.txt": "MIT\n"})
        with aside.writing("writing the check data", otherwise=BuildError):
            write(staged / "check" / "plan.json", "{}\n")
        return seal(staged, manifest, destination, **seal_options)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too, with its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
