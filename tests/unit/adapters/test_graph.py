"""What a graph gets for adapters, where they cannot be, and what a manifest says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from edgekit import adapters, plan, target
from edgekit.adapters import graph
from edgekit.adapters.files import _matrices
from edgekit.errors import BuildError
from edgekit.sources import Source, adapted, open_source
from edgekit.sources.facts import safetensors
from tests.unit.sources.tiny_loras import save_lora
from tests.unit.sources.tiny_models import HIDDEN, INNER, LAYERS, save_llama

pytestmark = pytest.mark.unit
QKV = 2 * HIDDEN  # q, and k and v of half its width


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """The smallest Llama with two adapters of its q_proj and v_proj."""
    words = [f"{name}={save_lora(tmp_path / name, seed=seed)}" for seed, name in enumerate(("polite", "terse"))]
    return adapted(open_source(str(save_llama(tmp_path / "base"))), words, merge=False)


def save_graph(path: Path, *, half: bool = False, attention: str = "qkv_proj/MatMul_Q4") -> Path:
    """Two layers' projections, named as GenAI's builder names them."""
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    nodes = []
    for layer in range(LAYERS):
        name = f"/model/layers.{layer}/attn/{attention}"
        nodes.append(helper.make_node("MatMul", [f"x{layer}", f"w{layer}"], [f"{name}/output_0"], name=name))
        up = f"/model/layers.{layer}/mlp/up_proj/MatMul"
        nodes.append(helper.make_node("MatMul", [f"{name}/output_0", "u"], [f"x{layer + 1}"], name=up))
    values = [helper.make_tensor_value_info("x0", kind, [1, "n", HIDDEN])]
    values.append(helper.make_tensor_value_info("past_key_values.0.key", kind, [1, 1, "p", 4]))
    weights = [helper.make_tensor(f"w{at}", kind, [HIDDEN, QKV], [0.0] * (HIDDEN * QKV)) for at in range(LAYERS)]
    weights.append(helper.make_tensor("u", kind, [QKV, INNER], [0.0] * (QKV * INNER)))
    made = helper.make_graph(nodes, "g", values, [helper.make_tensor_value_info(f"x{LAYERS}", kind, None)], weights)
    path.write_bytes(helper.make_model(made).SerializeToString())
    return path


@pytest.mark.parametrize("half", [False, True])
def test_a_projection_keeps_its_output_and_gets_inputs_that_add_nothing(
    source: Source, tmp_path: Path, half: bool
) -> None:
    base = safetensors.read_folder(source.path)
    built = save_graph(tmp_path / "built.onnx", half=half)
    places = graph.open_up(built, tmp_path / "model.onnx", source.adapters, base)
    assert [place.prefix for place in places] == [f"model.layers.{at}.attn.qkv_proj" for at in range(LAYERS)]
    assert all(place.half is half and (place.width, place.rows) == (HIDDEN, QKV) for place in places)
    proto: Any = onnx.load(str(tmp_path / "model.onnx"))
    defaults = {tensor.name: tuple(tensor.dims) for tensor in proto.graph.initializer if "lora" in tensor.name}
    first = "model.layers.0.attn.qkv_proj.lora_"
    assert defaults[f"{first}A"] == (HIDDEN, 0) and defaults[f"{first}B"] == (0, QKV) and len(defaults) == 2 * LAYERS
    assert {*defaults} <= {value.name for value in proto.graph.input} and proto.ir_version >= 4
    written = [name for node in proto.graph.node for name in node.output]
    before: Any = onnx.load(str(built))
    assert {name for node in before.graph.node for name in node.output} <= {*written} and len({*written}) == len(
        written
    )
    adds = [node for node in proto.graph.node if node.op_type == "Add"]
    assert [node.output[0] for node in adds] == [
        f"/model/layers.{at}/attn/qkv_proj/MatMul_Q4/output_0" for at in range(LAYERS)
    ]


def test_the_parts_of_a_fused_projection_stand_in_blocks(source: Source, tmp_path: Path) -> None:
    import numpy as np

    base, lora = safetensors.read_folder(source.path), source.adapters[0]
    [place, _] = graph.open_up(save_graph(tmp_path / "b.onnx"), tmp_path / "model.onnx", [lora], base)
    assert [piece.module.rpartition(".")[2] for piece in place.pieces] == ["q_proj", "k_proj", "v_proj"]
    down, up = _matrices(lora, place)
    changes, at = down @ up, 0
    for piece in place.pieces:
        wanted: Any = np.zeros((HIDDEN, piece.rows), np.float32)
        if piece.module in lora.scales:
            a, b = lora.matrices(piece.module)
            wanted = (b @ a).T * lora.scales[piece.module]
        assert np.allclose(changes[:, at : at + piece.rows], wanted, atol=1e-5)
        at += piece.rows
    assert at == QKV


def test_a_graph_of_other_names_has_no_place(source: Source, tmp_path: Path) -> None:
    built = save_graph(tmp_path / "b.onnx", attention="packed/MatMul")
    with pytest.raises(BuildError, match=r"no place for an adapter of model\.layers\.0") as error:
        graph.open_up(built, tmp_path / "model.onnx", source.adapters, safetensors.read_folder(source.path))
    assert error.value.exit_code == 5 and "--merge-adapter" in error.value.next


@pytest.mark.parametrize(
    ("name", "recipe", "said"),
    [
        ("windows-directml", None, "runs language models on DirectML, where adapters cannot be switched"),
        ("windows-webgpu", None, "where adapters cannot be switched"),
        ("android-qnn", None, "where adapters cannot be switched"),
        ("linux-cpu", "quarot_gptq", "rotates the weights"),
    ],
)
def test_where_they_cannot_be_is_said_before_anything_slow(
    source: Source, name: str, recipe: str | None, said: str
) -> None:
    planned = plan.make(source.model, target.load(name), recipe=recipe)
    with pytest.raises(BuildError, match=said) as error:
        adapters.refuse_early(planned, source)
    assert error.value.exit_code == 5 and "--merge-adapter" in error.value.next


@pytest.mark.parametrize("name", ["linux-cpu", "android-cpu", "ios-cpu", "ios-coreml", "android-nnapi"])
def test_on_the_cpu_they_can(source: Source, name: str) -> None:
    adapters.refuse_early(plan.make(source.model, target.load(name)), source)
