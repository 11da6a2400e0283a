"""Pooling, dense layers and normalization in the graph answer as sentence-transformers does, computed here by torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from edgekit.jobs import _pooling

pytestmark = pytest.mark.olive
WIDTH, VOCABULARY = 12, 40
RANDOM = np.random.default_rng(5)
EMBEDDINGS = RANDOM.normal(size=(VOCABULARY, WIDTH)).astype(np.float32)
MATRIX, BIAS = RANDOM.normal(size=(7, WIDTH)).astype(np.float32), RANDOM.normal(size=7).astype(np.float32)


def net(path: Path) -> Path:
    """Token ids to their vectors, as optimum names inputs and output."""
    ids, mask = (
        helper.make_tensor_value_info(n, TensorProto.INT64, ["b", "s"]) for n in ("input_ids", "attention_mask")
    )
    out = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["b", "s", WIDTH])
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])]
    graph = helper.make_graph(nodes, "g", [ids, mask], [out], [numpy_helper.from_array(EMBEDDINGS, "table")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def expected(mode: str, hidden: Any, mask: Any) -> Any:
    """sentence_transformers/models/Pooling.py, version 5.1, for texts that are filled up on the right."""
    wide = mask.unsqueeze(-1).expand(hidden.size()).to(hidden.dtype)
    if mode == "cls":
        return hidden[:, 0]
    if mode == "max":
        kept = hidden.clone()
        kept[wide == 0] = -1e9
        return torch.max(kept, 1)[0]
    if mode == "lasttoken":
        return hidden[torch.arange(len(hidden)), mask.sum(1) - 1]
    if mode == "weightedmean":
        wide = wide * torch.arange(1, hidden.shape[1] + 1).unsqueeze(-1).unsqueeze(0).expand(hidden.size())
    total, count = torch.sum(hidden * wide, 1), torch.clamp(wide.sum(1), min=1e-9)
    return total / (torch.sqrt(count) if mode == "mean_sqrt_len_tokens" else count)


@pytest.mark.parametrize("mode", ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"])
def test_each_pooling(tmp_path: Path, mode: str) -> None:
    assert_same(tmp_path, [{"kind": "pooling", "modes": [mode]}], lambda hidden, mask: expected(mode, hidden, mask))


def test_several_poolings_stand_side_by_side_and_are_normalized(tmp_path: Path) -> None:
    def joined(hidden: Any, mask: Any) -> Any:
        both = torch.cat([expected(mode, hidden, mask) for mode in ("cls", "mean")], 1)
        return torch.nn.functional.normalize(both, p=2, dim=1)

    assert_same(tmp_path, [{"kind": "pooling", "modes": ["cls", "mean"]}, {"kind": "normalize"}], joined)


@pytest.mark.parametrize("activation", ["Identity", "Tanh", "Relu", "Sigmoid", "Gelu"])
@pytest.mark.parametrize("bias", [True, False])
def test_a_dense_layer(tmp_path: Path, activation: str, bias: bool) -> None:
    save_file({"linear.weight": MATRIX, **({"linear.bias": BIAS} if bias else {})}, tmp_path / "dense.safetensors")
    named = {"Identity": torch.nn.Identity, "Tanh": torch.nn.Tanh, "Relu": torch.nn.ReLU}
    last = {**named, "Sigmoid": torch.nn.Sigmoid, "Gelu": torch.nn.GELU}[activation]()

    def dense(hidden: Any, mask: Any) -> Any:
        turned = expected("mean", hidden, mask) @ torch.from_numpy(MATRIX).T
        return last(turned + torch.from_numpy(BIAS) if bias else turned)

    steps = [
        {"kind": "pooling", "modes": ["mean"]},
        {"kind": "dense", "weights": "dense.safetensors", "activation": activation},
    ]
    assert_same(tmp_path, steps, dense)


def assert_same(folder: Path, steps: list[dict[str, Any]], torch_says: Any) -> None:
    path = net(folder / "m.onnx")
    _pooling.append(path, steps, folder)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["sentence_embedding"]
    ids = np.random.default_rng(1).integers(0, VOCABULARY, (3, 6))
    mask = np.array([[1] * 6, [1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]])
    [made] = session.run(None, {"input_ids": ids, "attention_mask": mask})
    wanted = torch_says(torch.from_numpy(EMBEDDINGS[ids]), torch.from_numpy(mask)).numpy()
    np.testing.assert_allclose(made, wanted, rtol=1e-5, atol=1e-6)
