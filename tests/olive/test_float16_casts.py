"""The float16 recipe keeps what a model cuts to whole numbers by casts, whoever exported it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnxscript import FLOAT, script
from onnxscript import opset17 as op

from tests.unit.inputs.nets import save, value

pytestmark = pytest.mark.olive
node = helper.make_node
RANDOM = np.random.default_rng(4)


def converted(path: Path, out: Path) -> Any:
    """The float16 model of the recipe's own pass, and of no other step."""
    from olive.model import ONNXModelHandler
    from olive.passes.olive_pass import create_pass_from_dict

    from edgekit.jobs.olive.passes.float16 import EdgekitFloat16
    from edgekit.recipes import fp16

    settings = {"keep_io_types": True, "op_block_list": list(fp16.WITHOUT_FLOAT16), "use_symbolic_shape_infer": False}
    converting = create_pass_from_dict(EdgekitFloat16, settings, disable_search=True)
    return onnx.load(converting.run(ONNXModelHandler(str(path)), str(out)).model_path)


def run(model: Any, x: Any) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def from_onnx(path: Path) -> Path:
    """Grid cells: float -> int32 -> float in the middle of the arithmetic."""
    weights = {"w": RANDOM.normal(0, 2, (16, 12)).astype(np.float32), "k": np.float32(0.5)}
    nodes = [node("MatMul", ["x", "w"], ["h"]), node("Cast", ["h"], ["i"], to=6), node("Cast", ["i"], ["f"], to=1)]
    nodes.append(node("Mul", ["f", "k"], ["y"]))
    return save(path, nodes, [value("x", [1, 16])], [value("y", [1, 12])], weights)


def from_torch(path: Path) -> Path:
    """x.long().float(), as PyTorch exports it."""
    import torch

    class Cells(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(16, 12)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (8 * self.layer(x)).long().float() / 4

    torch.manual_seed(1)
    names = {"input_names": ["x"], "output_names": ["y"]}
    torch.onnx.export(Cells().eval(), (torch.zeros(1, 16),), str(path), opset_version=17, dynamo=False, **names)
    return path


def from_onnxscript(path: Path) -> Path:
    """float -> int64 -> float -> bool -> float: a cascade of three."""

    @script(default_opset=op)
    def cells(x: FLOAT[1, 16]) -> FLOAT[1, 16]:
        whole = op.Cast(op.Add(x, op.Add(x, x)), to=7)
        some = op.Cast(op.Cast(whole, to=9), to=1)
        return op.Add(op.Cast(whole, to=1), some)

    model = cells.to_model_proto()
    onnx.save(model, path)
    return path


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("make", [from_onnx, from_torch, from_onnxscript])
def test_a_cast_to_whole_numbers_stays(make: Any, tmp_path: Path) -> None:
    path = make(tmp_path / "net.onnx")
    model = converted(path, tmp_path / "half" / "model.onnx")
    x = RANDOM.normal(0, 1, (1, 16)).astype(np.float32)
    expected, got = run(onnx.load(path), x), run(model, x)
    assert np.mean(np.abs(expected - got) < 1e-2) > 0.9  # a value next to a whole number may fall on its other side
    kinds = [attribute.i for part in model.graph.node if part.op_type == "Cast" for attribute in part.attribute]
    assert any(kind in (6, 7) for kind in kinds)


def test_a_scale_that_float16_holds_is_not_clipped(tmp_path: Path) -> None:
    """Olive's pass clips constants to 1e-7 ... 1e4."""
    constants = {"w": np.eye(16, 12, dtype=np.float32), "k": np.float32(49_152)}
    nodes = [node("MatMul", ["x", "w"], ["h"]), node("Mul", ["h", "k"], ["y"])]
    path = save(tmp_path / "net.onnx", nodes, [value("x", [1, 16])], [value("y", [1, 12])], constants)
    x = np.full((1, 16), 0.25, np.float32)
    assert run(converted(path, tmp_path / "out.onnx"), x)[0, 0] == 12_288
