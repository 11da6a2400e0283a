"""Published models, door by door: each opens with the right facts, or is refused with the right reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest

from edgekit.catalog import cards
from edgekit.errors import SourceError
from edgekit.sources import open_source, pypi

F = "float32"
Inputs = list[tuple[str, str, tuple[Any, ...]]]
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
IMAGE = (1, 3, 224, 224)
# Name -> input, output and its shape, parameters. Their weights are constants that fill: the net is the structure.
NETS: dict[str, tuple[str, str, tuple[int, ...], int]] = {
    "bvlc_alexnet": ("data_0", "prob_1", (1, 1000), 52),
    "densenet121": ("data_0", "fc6_1", (1, 1000, 1, 1), 2803),
    "inception_v1": ("data_0", "prob_1", (1, 1000), 1436),
    "inception_v2": ("data_0", "prob_1", (1, 1000), 5824),
    "resnet50": ("gpu_0/data_0", "gpu_0/softmax_1", (1, 1000), 2433),
    "shufflenet": ("gpu_0/data_0", "gpu_0/softmax_1", (1, 1000), 900),
    "squeezenet": ("data_0", "softmaxout_1", (1, 1000, 1, 1), 796),
    "vgg19": ("data_0", "prob_1", (1, 1000), 253),
    "zfnet512": ("gpu_0/data_0", "gpu_0/softmax_1", (1, 1000), 53),
}
STATE = ("state", F, (2, "batch", 128))
SILERO: dict[str, tuple[int, int, Inputs]] = {
    "silero_vad.onnx": (
        16,
        545601,
        [("input", F, (None, None)), ("state", F, (2, None, 128)), ("sr", "int64", ())],
    ),
    "silero_vad_16k_op15.onnx": (15, 309797, [("input", F, ("batch", "sequence")), STATE, ("sr", "int64", ())]),
    "silero_vad_16k_sequence.onnx": (
        16,
        309665,
        [("input", F, ("sequence_length", 576)), ("h", F, (1, 1, 128)), ("c", F, (1, 1, 128))],
    ),
    "silero_vad_half.onnx": (16, 309792, [("input", F, ("batch", "sequence")), STATE]),
    "silero_vad_op18_ifless.onnx": (18, 545689, [("input", F, ("batch", "sequence")), ("sr", "int64", ()), STATE]),
    "silero_vad_openvino_16k.onnx": (16, 309719, [("input", F, (1, 576)), ("state", F, (2, 1, 128))]),
}
# Kind, architecture, opset, parameters, names of the inputs.
CATALOGUE: dict[str, tuple[str, str, int | None, int, list[str]]] = {
    "all-minilm-l6-v2": ("tensor", "BertModel", 18, 22566044, ["input_ids", "attention_mask", "token_type_ids"]),
    "basic-pitch": ("tensor", "", 15, 36037, ["serving_default_input_2:0"]),
    "ppocrv4-cls": ("tensor", "", 11, 133777, ["x"]),
    "ppocrv4-det": ("tensor", "", 12, 1171841, ["x"]),
    "ppocrv4-rec": ("tensor", "", 12, 2690407, ["x"]),
    "silero-vad": ("tensor", "", 15, 309797, ["input", "state", "sr"]),
    "smollm2-135m-instruct": ("llm", "LlamaForCausalLM", None, 134515008, []),
    "smollm2-135m-instruct-phi3": ("llm", "Phi3ForCausalLM", None, 134515008, []),
    "swift-f0": ("tensor", "", 18, 29861, ["audio", "fmin", "fmax"]),
}


@pytest.mark.unit
def test_no_net_is_left_out() -> None:
    assert {path.stem.removeprefix("light_") for path in LIGHT.glob("*.onnx")} == set(NETS)
    assert cards.names() == sorted(CATALOGUE)


@pytest.mark.unit
@pytest.mark.parametrize("name", NETS)
def test_a_light_net(name: str) -> None:
    source = open_source(str(LIGHT / f"light_{name}.onnx"))
    given, gives, shape, parameters = NETS[name]
    model = source.model
    assert [(one.name, one.dtype, one.shape) for one in model.inputs] == [(given, F, IMAGE)]
    assert [(one.name, one.dtype, one.shape) for one in model.outputs] == [(gives, F, shape)]
    assert (model.opset, model.dtype, model.quantized, model.parameters) == (9, F, False, parameters)
    assert model.name == f"light_{name}" and source.form == "onnx"


@pytest.mark.olive
def test_the_silero_variants() -> None:
    """One wheel with six graphs, a TorchScript program and bare weights."""
    ref = "pypi:silero-vad==6.2.3#silero_vad/data"
    folder = pypi.download(pypi.parse(ref), lambda text: None) / "files" / "data"
    assert {path.name for path in folder.glob("*.onnx")} == set(SILERO)
    for name, (opset, parameters, inputs) in SILERO.items():
        model = open_source(str(folder / name)).model
        assert (model.opset, model.parameters, model.quantized) == (opset, parameters, False), name
        assert [(one.name, one.dtype, one.shape) for one in model.inputs] == inputs, name
        assert len(model.outputs) == len(inputs) - ("sr" in [one.name for one in model.inputs]), "each state comes back"
    for name, message in (
        ("silero_vad.jit", "silero_vad.jit is pickled"),
        ("silero_vad_16k.safetensors", "is only weights"),
        ("__init__.py", "is empty"),
        ("", "holds 6 ONNX models"),
    ):
        with pytest.raises(SourceError, match=message) as error:
            open_source(str(folder / name))
        assert error.value.exit_code == 4 and error.value.next


@pytest.mark.olive
@pytest.mark.parametrize("name", CATALOGUE)
def test_a_model_of_the_catalogue(name: str) -> None:
    kind, architecture, opset, parameters, inputs = CATALOGUE[name]
    source = open_source(name)
    model = source.model
    assert (model.kind, model.architecture, model.opset, model.parameters) == (kind, architecture, opset, parameters)
    assert [one.name for one in model.inputs] == inputs and (model.llm is not None) == (kind == "llm")
    assert source.card is not None and model.licence in ("Apache-2.0", "MIT") and source.origin
    assert all(one.preprocess is not None for one in model.inputs), "an app is told how each input is made"
