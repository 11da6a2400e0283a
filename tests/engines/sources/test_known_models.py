"""Published models, door by door: each opens with the right facts, or is refused with the right reason."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.errors import SourceError
from edgekit.sources import open_source, pypi
from tests.unit.sources.test_known_models import CATALOGUE, F

Inputs = list[tuple[str, str, tuple[Any, ...]]]
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
        ("silero_vad.jit", "silero_vad.jit is a program of TorchScript"),
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
    assert source.card is not None and model.license in ("Apache-2.0", "MIT") and source.origin
    assert model.kind == "llm" or model.inputs
    assert all(one.preprocess is not None for one in model.inputs), "an app is told how each input is made"
