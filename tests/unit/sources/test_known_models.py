"""Published models, door by door: each opens with the right facts, or is refused with the right reason."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from edgekit.catalog import cards
from edgekit.sources import open_source

F = "float32"
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
# Kind, architecture, opset, parameters, names of the inputs.
CATALOGUE: dict[str, tuple[str, str, int | None, int, list[str]]] = {
    "all-minilm-l6-v2": ("tensor", "BertModel", 18, 22566044, ["input_ids", "attention_mask", "token_type_ids"]),
    "basic-pitch": ("tensor", "", 15, 36037, ["serving_default_input_2:0"]),
    "ppocrv4-cls": ("tensor", "", 11, 133777, ["x"]),
    "ppocrv4-det": ("tensor", "", 12, 1171841, ["x"]),
    "ppocrv4-rec": ("tensor", "", 12, 2690407, ["x"]),
    "silero-vad": ("tensor", "", 15, 309797, ["input", "state", "sr"]),
    "smollm2-135m-instruct": ("llm", "LlamaForCausalLM", None, 134515008, []),
    "swift-f0": ("tensor", "", 18, 29861, ["audio", "fmin", "fmax"]),
}


@pytest.mark.unit
def test_no_net_is_left_out() -> None:
    assert {path.stem.removeprefix("light_") for path in LIGHT.glob("*.onnx")} == set(NETS)
    assert cards.packaged() == sorted(CATALOGUE)


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
