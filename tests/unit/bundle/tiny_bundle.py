"""A tiny real bundle: a layer with external data, made by the same stage and seal as every other bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekit.bundle import aside
from edgekit.bundle.seal import seal
from edgekit.bundle.stage import stage, write
from edgekit.contract.manifest import Draft, Manifest, Quality, RecipeFacts, SourceFacts, Stage, TargetFacts
from edgekit.errors import BuildError
from edgekit.faces.python import PACKAGE
from edgekit.kinds import Footprint
from edgekit.kinds.tensor import TensorContract
from edgekit.kinds.variant import Variant
from edgekit.model import Model, Tensor
from edgekit.results.partition import Partition

NAME = "tiny-linux-cpu"
PASS = {"portable": Quality(verdict="pass", mode="off")}
SIZE = 96  # the weights are SIZE x SIZE float32: 36 KiB, more than one alignment of a zip


def draft(name: str = NAME, **changes: Any) -> Draft:
    """What a build knows of a bundle before it is staged."""
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
        "source": SourceFacts(ref="tiny.onnx", kind="onnx", sha256="1" * 64, license="MIT"),
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
        "memory": Footprint(mapped_bytes=SIZE * SIZE * 4, predicted_peak_bytes=10**6),
    }
    return Draft(**(facts | changes))


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
    destination: Path,
    made_of: tuple[Path, Path],
    known: Draft | None = None,
    quality: Mapping[str, Quality] = PASS,
    *,
    force: bool = False,
    partition: Mapping[str, Partition] | None = None,
) -> Manifest:
    """Stage and seal, as edgekit build does."""
    known = known or draft()
    aside.check_destination(destination, known.name, force=force)
    with aside.workspace(destination) as room:
        staged = room / "new"
        stage(staged, known, {"model/portable": made_of[0]}, {PACKAGE: made_of[1]}, {"LICENSE.txt": "MIT\n"})
        with aside.writing("writing the check data", otherwise=BuildError):
            write(staged / "check" / "plan.json", "{}\n")
        return seal(staged, known, quality, destination, partition=partition, force=force)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too, with its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
