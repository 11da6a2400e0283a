"""A source is opened and run once by ONNX Runtime before anything slow; what that says is an answer for the user."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edgekit import holdings, sources, tools
from edgekit.errors import SourceError
from edgekit.inputs import synthetic
from edgekit.inputs.options import described, parse
from edgekit.sources import open_source
from tests import needs
from tests.unit.inputs.nets import save, value

pytestmark = pytest.mark.runtimes
node = helper.make_node
BF16 = TensorProto.BFLOAT16


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))


def brain_float(path: Path) -> Path:
    """torch.onnx of a model in bfloat16, its inputs and outputs cast."""
    weights = helper.make_tensor("w", BF16, [16, 8], [0.5] * 128)
    nodes = [node("Cast", ["x"], ["b"], to=BF16), node("MatMul", ["b", "w"], ["p"]), node("Cast", ["p"], ["y"], to=1)]
    graph = helper.make_graph(nodes, "g", [value("x", ["n", 16])], [value("y", ["n", 8])], [weights])
    return write(path, graph)


def brain_float_conv(path: Path) -> Path:
    """The same of a convolution, which ONNX has no bfloat16 of before opset 22."""
    kernel = helper.make_tensor("k", BF16, [2, 3, 3, 3], [0.1] * 54)
    nodes = [node("Cast", ["x"], ["b"], to=BF16), node("Conv", ["b", "k"], ["p"]), node("Cast", ["p"], ["y"], to=1)]
    graph = helper.make_graph(nodes, "g", [value("x", [1, 3, 8, 8])], [value("y", [1, 2, 6, 6])], [kernel])
    return write(path, graph)


def for_cuda(path: Path) -> Path:
    """Stable diffusion's net as ONNX Runtime's CUDA optimizer leaves it."""
    nodes = [node("BiasSplitGelu", ["x", "b"], ["y"], domain="com.microsoft")]
    bias = helper.make_tensor("b", 1, [2560], [0.0] * 2560)
    graph = helper.make_graph(nodes, "g", [value("x", [1, 4, 2560])], [value("y", [1, 4, 1280])], [bias])
    return write(path, graph, ("com.microsoft", 1))


def double(path: Path) -> Path:
    """torch.onnx of a model in float64, for which ONNX Runtime's CPU has no convolution."""
    kernel = helper.make_tensor("k", TensorProto.DOUBLE, [2, 3, 3, 3], [0.1] * 54)
    inputs, outputs = [value("x", [1, 3, 8, 8], TensorProto.DOUBLE)], [value("y", [1, 2, 6, 6], TensorProto.DOUBLE)]
    return write(path, helper.make_graph([node("Conv", ["x", "k"], ["y"])], "g", inputs, outputs, [kernel]))


def write(path: Path, graph: Any, *domains: tuple[str, int]) -> Path:
    opsets = [helper.make_opsetid(*names) for names in (("", 17), *domains)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    return path


@pytest.mark.parametrize(
    ("make", "operator", "domain", "instead"),
    [
        (brain_float, "MatMul", "ai.onnx", "export it in float32"),
        (brain_float_conv, "Conv", "ai.onnx", "export it in float32"),
        (double, "Conv", "ai.onnx", "export it in float32"),
        (for_cuda, "BiasSplitGelu", "com.microsoft", "export it without BiasSplitGelu"),
    ],
)
def test_an_operator_without_a_kernel(
    tmp_path: Path, make: Callable[[Path], Path], operator: str, domain: str, instead: str
) -> None:
    source = open_source(str(make(tmp_path / "m.onnx")))
    with pytest.raises(SourceError, match=f"no {operator} .domain '{domain}'") as error:
        sources.trial(source)
    assert error.value.exit_code == 4 and instead in error.value.next
    assert not [entry for entry in holdings.entries() if entry.stage == "trial"]  # asked again the next time


def test_a_graph_of_a_release_to_come(tmp_path: Path) -> None:
    graph = helper.make_graph([node("Relu", ["x"], ["y"])], "g", [value("x", [1, 8])], [value("y", [1, 8])])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 99)], ir_version=8)
    onnx.save(made, tmp_path / "m.onnx")
    source = open_source(str(tmp_path / "m.onnx"))
    with pytest.raises(SourceError, match=r"the graph has opset 99, ONNX Runtime 1\.\d+\.\d+ loads up to") as refused:
        sources.trial(source)
    assert "older release" in refused.value.next


def test_a_graph_that_a_session_optimized_for_this_cpu(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    kernels = {f"k{at}": random.normal(size=(32, 32, 3, 3)).astype(np.float32) for at in range(2)}
    nodes = [node("Conv", ["x", "k0"], ["a"], pads=[1] * 4), node("Conv", ["a", "k1"], ["y"], pads=[1] * 4)]
    shape = [1, 32, 16, 16]
    plain = save(tmp_path / "plain.onnx", nodes, [value("x", shape)], [value("y", shape)], kernels)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(str(plain), options, providers=["CPUExecutionProvider"])
    domains = {inner.domain for inner in onnx.load(tmp_path / "optimized.onnx").graph.node}
    if "com.microsoft.nchwc" not in domains:
        needs.unavailable("this CPU's ONNX Runtime has no layout of its own")
    with pytest.raises(SourceError, match=r"domain 'com\.microsoft\.nchwc'"):
        sources.trial(open_source(str(tmp_path / "optimized.onnx")))
    sources.trial(open_source(str(plain)))


def test_what_was_taken_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "m.onnx", [node("Relu", ["x"], ["y"])], [value("x", [1, 4])], [value("y", [1, 4])], {})
    sources.trial(open_source(str(path)))

    def never(*words: Any, **more: Any) -> Any:
        raise AssertionError("a child was started")

    monkeypatch.setattr(tools, "job", never)
    sources.trial(open_source(str(path)))
    path.write_bytes(path.read_bytes().replace(b"Relu", b"Sqrt"))
    with pytest.raises(AssertionError, match="a child was started"):
        sources.trial(open_source(str(path)))


def test_inputs_that_cannot_be_guessed_refuse_nothing(tmp_path: Path) -> None:
    """Rows that must be three: no made input fits, and the model may be right."""
    nodes = [node("Reshape", ["x", "three"], ["y"])]
    three = {"three": np.array([3, 5], np.int64)}
    sources.trial(open_source(str(save(tmp_path / "m.onnx", nodes, [value("x", ["n"])], [value("y", [3, 5])], three))))


PROCESSOR = {
    "image_processor_type": "ViTImageProcessor",
    "do_resize": True,
    "size": {"height": 16, "width": 16},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5] * 3,
    "image_std": [0.5] * 3,
}


def patches(folder: Path, side: int, name: str = "pixel_values") -> Path:
    """As optimum writes a ViT: any height and width, and a table of the positions of one size alone."""
    folder.mkdir()
    nodes = [
        node("Conv", [name, "k"], ["p"], strides=[8, 8]),
        node("Flatten", ["p"], ["f"], axis=2),
        node("Add", ["f", "positions"], ["a"]),
        node("ReduceMean", ["a"], ["y"], axes=[2], keepdims=0),
    ]
    constants = {
        "k": np.ones((4, 3, 8, 8), np.float32),
        "positions": np.ones((1, 4, (side // 8) ** 2), np.float32),
    }
    return save(folder / "m.onnx", nodes, [value(name, ["n", 3, "h", "w"])], [value("y", ["n", 4])], constants)


def test_inputs_as_the_files_beside_a_graph_describe_them_must_run(tmp_path: Path) -> None:
    right, wrong = patches(tmp_path / "right", 16), patches(tmp_path / "wrong", 32)
    for path in (right, wrong):
        (path.parent / "config.json").write_text("{}")
        (path.parent / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    sources.trial(open_source(str(right)))
    with pytest.raises(SourceError, match=r"described \(pixel_values of 1 x 3 x 16 x 16\): .*16") as refused:
        sources.trial(open_source(str(wrong)))
    assert refused.value.exit_code == 4 and "--input-spec" in refused.value.next
    said = parse(["pixel_values:image,width=32,height=32"], open_source(str(wrong)).model)
    opened = open_source(str(wrong))
    sources.trial(replace(opened, model=described(opened.model, said)))


@pytest.mark.parametrize(
    "spec",
    ["x:image,width=24,height=24", "x:image,width=16,height=16,mean=1:2:3:4", "x:image,width=16,height=16,channels=L"],
)
def test_and_as_a_user_describes_them(tmp_path: Path, spec: str) -> None:
    path = patches(tmp_path / "m", 16, "x")
    net = open_source(str(path)).model
    assert synthetic.tried(net, path) == ("", False)
    said, wrong = synthetic.tried(described(net, parse([spec], net)), path)
    assert said and wrong
