"""Which place takes a reference, and what is said when none does."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edgekit.catalog import cards
from edgekit.errors import SourceError
from edgekit.sources import _places, open_source
from tests import needs
from tests.unit.sources.tiny_models import save_onnx

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("ref", [*cards.names(), "pypi:a==1#b", "pypi:nonsense", "hf:a/b", "hf:nonsense/"])
def test_at_most_one_place_takes_a_reference(ref: str) -> None:
    assert len([place for place in _places.places() if place.matches(ref)]) == 1


@pytest.mark.parametrize(
    ("ref", "message", "next"),
    [
        ("", "empty or impossible", "catalogue name"),
        ("a\0b", "empty or impossible", "catalogue name"),
        ("smollm2-135m-instuct", "did you mean 'smollm2-135m-instruct", "silero-vad"),
        ("no/such/model.onnx", "there is no no/such/model.onnx", "check the path"),
        ("model.gguf", "there is no model.gguf", "check the path"),
        ("-model.onnx", "there is no -model.onnx", "check the path"),
        ("microsoft/phi-4", "there is no microsoft/phi-4", "write hf:microsoft/phi-4"),
        ("hf:a/b/c", "is not of the form hf:org/name", "hf:org/name"),
        ("https://x.org/m.onnx", "not fetched from https: addresses", "hf:org/name"),
        ("card.toml", "no card file card.toml", "existing .toml file"),
        ("catalog:nope", "unknown model 'nope'", "one of:"),
        ("x" * 5000, "cannot look at|unknown model", "check the path"),
        ("\udcff.onnx", "not UTF-8", "rename it"),
    ],
)
def test_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ref: str, message: str, next: str) -> None:
    monkeypatch.chdir(tmp_path)
    _refused(ref, message, next)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.onnx", b"", "m.onnx is empty"),
        ("m.gguf", b"", "m.gguf is empty"),
        ("m.gguf", b"text", "m.gguf is not a GGUF file"),
        ("m.bin", b"", "m.bin is empty"),
        ("m.bin", b"\x80\x04", "m.bin is pickled"),
        ("m.pth", b"PK", "m.pth is pickled"),
        ("m.safetensors", b"x", "m.safetensors is only weights"),
        ("m.tflite", b"x", "m.tflite is a TensorFlow Lite model"),
        ("notes.txt", b"x", "notes.txt is not a model edgekit reads"),
    ],
)
def test_files_that_are_no_models(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    _refused(str(tmp_path / name), message)


def test_folders_without_a_model(tmp_path: Path) -> None:
    _refused(str(tmp_path), f"the folder {tmp_path.name} is empty")
    (tmp_path / "x.txt").write_text("x")
    _refused(str(tmp_path), "holds no model")
    (tmp_path / "a.gguf").write_text("x")
    _refused(str(tmp_path), "holds GGUF files")
    (tmp_path / "genai_config.json").write_text("{}")
    _refused(str(tmp_path), "already built for ONNX Runtime GenAI")


ENGINES = {
    "a decoder": {"model": {"type": "phi3", "decoder": {"filename": "model.onnx"}}},
    "a part of a pipeline": {"model": {"decoder": {"pipeline": [{"context": {"filename": "model.onnx"}}]}}},
    "an encoder": {"model": {"type": "whisper", "encoder": {"filename": "model.onnx"}}},
}


@pytest.mark.parametrize("named", ENGINES)
def test_a_graph_out_of_an_engines_folder(named: str, tmp_path: Path) -> None:
    save_onnx(tmp_path / "model.onnx")
    save_onnx(tmp_path / "other.onnx")
    (tmp_path / "genai_config.json").write_text(json.dumps(ENGINES[named]))
    _refused(str(tmp_path / "model.onnx"), "model.onnx is a graph of .*, which is built for ONNX Runtime GenAI")
    assert open_source(str(tmp_path / "other.onnx")).model.kind == "tensor"


@needs.pipes
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    _refused(str(tmp_path / "pipe.onnx"), "neither a file nor a folder")


def test_a_name_that_is_also_a_folder_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "silero-vad").mkdir()
    save_onnx(tmp_path / "silero-vad" / "model.onnx")
    monkeypatch.chdir(tmp_path)
    _refused("silero-vad", "also a file or folder here", "./silero-vad")
    assert open_source("./silero-vad").model.name == "silero-vad"


def _refused(ref: str, message: str, next: str = "") -> None:
    with pytest.raises(SourceError, match=message) as error:
        open_source(ref)
    assert error.value.exit_code == 4 and next in error.value.next and error.value.next
    assert "\n" not in error.value.message + error.value.next
