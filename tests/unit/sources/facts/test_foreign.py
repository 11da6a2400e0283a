"""What people bring that no place takes: what it is, and what to give instead."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import SourceError
from edgekit.sources import open_source
from edgekit.sources.facts import foreign
from edgekit.sources.facts.foreign import Form

pytestmark = pytest.mark.unit

FORMS = [pytest.param(form, id=form.what) for form in foreign.forms()]
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
LITE = b"\x1c\0\0\0TFL3" + bytes(50)


@pytest.mark.parametrize("form", FORMS)
def test_each_sign_of_a_form_tells_it(form: Form, tmp_path: Path) -> None:
    for number, start in enumerate(form.starts):
        at, _, text = start.partition(":")
        said = _refused(_file(tmp_path / f"begins{number}", bytes(int(at)) + text.encode("latin-1") + bytes(9)))
        assert f"begins{number} is {form.what}" in said
    for number, member in enumerate(form.members):
        said = _refused(_zip(tmp_path / f"holds{number}", "readme", member.replace("*", "a")))
        assert f"holds{number} is {form.what}" in said
    for number, name in enumerate(form.names):
        said = _refused(_file(tmp_path / str(number) / name.replace("*", "a"), b"\1\2\3"))
        assert form.what in said
        if not form.alone:
            assert form.what in _refused(tmp_path / str(number))


@pytest.mark.parametrize(
    ("name", "content", "message", "next"),
    [
        ("m.onnx", LITE, "m.onnx is a TensorFlow Lite model", "tf2onnx.convert --tflite"),
        ("M.TFLITE", b"", "M.TFLITE is empty", "get it again"),
        ("m.gguf", POINTER, "a pointer of Git LFS", "git lfs pull"),
        ("m.onnx", POINTER, "a pointer of Git LFS", "git lfs pull"),
        ("m.onnx", b"<!DOCTYPE html><html>", "m.onnx is a web page", "/resolve/"),
        ("m.bin", b"\1\2", "m.bin is not a model edgekit reads", "give a catalogue name"),
        ("m", b"\x80\x04\x95", "m is pickled", "torch.onnx.export"),
    ],
)
def test_bytes_go_before_the_name(name: str, content: bytes, message: str, next: str, tmp_path: Path) -> None:
    said = _refused(_file(tmp_path / name, content))
    assert message in said and next in said


@pytest.mark.parametrize(
    ("members", "words"),
    [
        (["net/config.json", "net/model.onnx"], ("is an archive", "give the model in it (net/config.json)")),
        (["a.png"], ("is an archive", "none is seen by its name")),
        (["archive/data.pkl", "archive/data/0"], ("is pickled",)),
        (["m/data.pkl", "m/code/__torch__.py"], ("a program of TorchScript", "torch.onnx.export")),
    ],
)
@pytest.mark.parametrize("name", ["m.zip", "m.pt", "m.onnx"])
def test_zips_are_told_by_what_they_hold(name: str, members: list[str], words: tuple[str, ...], tmp_path: Path) -> None:
    said = _refused(_zip(tmp_path / name, *members))
    assert all(word in said for word in words) or (name == "m.onnx" and "is not an ONNX model" in said)


@pytest.mark.parametrize(
    ("config", "more", "words"),
    [
        (
            {"architecture": "resnet50", "pretrained_cfg": {"input_size": [3, 160, 160]}},
            {},
            ("a model of timm (resnet50)", "timm.create_model('resnet50'", "torch.zeros(1, 3, 160, 160)"),
        ),
        (
            {
                "architectures": ["TimmWrapperForImageClassification"],
                "model_type": "timm_wrapper",
                "architecture": "resnet18",
                "pretrained_cfg": {},
            },
            {"model.safetensors": b"x"},
            ("a model of timm (resnet18)",),
        ),
        ({"architecture": "vit", "num_features": 9}, {"model.safetensors": b"x"}, ("timm (vit)", "1, 3, 224, 224")),
        ({"architecture": "resnet50", "pretrained_cfg": 3}, {}, ("names no architecture",)),
        ({"class_name": "Functional", "module": "keras"}, {"model.weights.h5": b"x"}, ("Keras (Functional)",)),
        ({"_class_name": "UNet2DConditionModel"}, {}, ("one net of diffusers", "optimum-cli export onnx")),
        ({"bos_token": "<s>"}, {"model.bin": b"x", "vocabulary.json": b"[]"}, ("a model of CTranslate2",)),
        ({"architectures": ["BertModel"]}, {"tf_model.h5": b"x"}, ("(tf_model.h5) is an HDF5 file", "from_tf=True")),
        ({"architectures": ["BertModel"]}, {"openvino_model.bin": b"x"}, ("an OpenVINO model",)),
        ({"architectures": ["BertModel"]}, {"m.gguf": b"x"}, ("holds its weights as GGUF", "m.gguf")),
        ({"architectures": ["BertModel"]}, {"model.fp16.safetensors": b"x"}, ("no weights", "model.fp16.safetensors")),
        ({"architectures": ["BertModel"]}, {"model.safetensors": POINTER}, ("a pointer of Git LFS",)),
        ({"model_type": "bert"}, {"modeling_x.py": b"x"}, ("names no architecture",)),
    ],
)
def test_folders_of_other_libraries(
    config: dict[str, Any], more: dict[str, bytes], words: tuple[str, ...], tmp_path: Path
) -> None:
    _file(tmp_path / "net" / "config.json", json.dumps(config).encode())
    for name, content in more.items():
        _file(tmp_path / "net" / name, content)
    said = _refused(tmp_path / "net")
    assert all(word in said for word in words), said


def test_weights_alone(tmp_path: Path) -> None:
    weights = _file(tmp_path / "net" / "model.safetensors", b"x")
    assert "no config.json lies beside it" in _refused(weights) and "no config.json" in _refused(weights.parent)
    _file(weights.parent / "config.json", b"{}")
    assert f"give its folder: {weights.parent}" in _refused(weights)


def _file(path: Path, content: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def _zip(path: Path, *members: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, "x")
    return path


def _refused(path: Path) -> str:
    with pytest.raises(SourceError) as error:
        open_source(str(path))
    assert error.value.exit_code == 4
    return f"{error.value.message}\n{error.value.next}"
