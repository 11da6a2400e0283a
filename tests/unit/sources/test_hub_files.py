"""Which files of a hub's repository are fetched, and how a reference is read; no network."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from edgekit.errors import SourceError
from edgekit.sources import hub
from edgekit.sources.facts import hub_files

pytestmark = pytest.mark.unit

SHA256 = "a" * 64
TEXT = ["config.json", "tokenizer.json", "README.md", "LICENSE"]


def listed(names: Iterable[str]) -> dict[str, hub_files.RemoteFile]:
    return hub_files.listing([{"path": name, "size": 1, "sha256": SHA256, "blob": ""} for name in names], "org/m")


@pytest.mark.parametrize(
    ("ref", "parts"),
    [
        ("hf:org/name", ("org/name", "main", "")),
        ("hf:gpt2", ("gpt2", "main", "")),
        ("hf:org/name@v1.0", ("org/name", "v1.0", "")),
        ("hf:org/name@refs/pr/3", ("org/name", "refs/pr/3", "")),
        ("hf:org/a.b-c_d@main#onnx/model.onnx", ("org/a.b-c_d", "main", "onnx/model.onnx")),
        ("hf:org/name#onnx/", ("org/name", "main", "onnx")),
        ("hf:org/name#a b.gguf", ("org/name", "main", "a b.gguf")),
    ],
)
def test_a_reference(ref: str, parts: tuple[str, str, str]) -> None:
    wanted = hub.parse(ref)
    assert (wanted.repo, wanted.revision, wanted.path) == parts


@pytest.mark.parametrize(
    "ref",
    [
        *("hf:", "hf:/name", "hf:org/", "hf:a/b/c", "hf:../x", "hf:org/name@", "hf:org/name@-x", "hf:org/name@a b"),
        *("hf:org/name#../x", "hf:org/name#/x", "hf:org/name#a//b", "hf:org/name#a\\b", "hf:org name", "hf:-o/name"),
    ],
)
def test_what_is_no_reference(ref: str) -> None:
    with pytest.raises(SourceError, match="is not of the form hf:org/name") as error:
        hub.parse(ref)
    assert error.value.exit_code == 4 and "\n" not in error.value.message


def test_one_format_of_the_weights() -> None:
    other = ["pytorch_model.bin", "tf_model.h5", "onnx/model.onnx", "consolidated.safetensors", "original/x.pth"]
    files = listed([*TEXT, *other, "model.safetensors", "model.fp16.safetensors", "modeling_x.py", "x/config.json"])
    choice = hub_files.choose(files, "", "org/m", code=False)
    assert (choice.model, choice.base, sorted(choice.first)) == ("", "", sorted(TEXT))
    assert "modeling_x.py" in hub_files.choose(files, "", "org/m", code=True).first
    assert list(hub_files.rest(files, choice, ["model.safetensors"], "org/m")) == ["model.safetensors"]
    with pytest.raises(SourceError, match=r"lacks model-2\.safetensors, which .*index.json names"):
        hub_files.rest(files, choice, ["model-2.safetensors"], "org/m")


def test_an_index_before_its_shards() -> None:
    shards = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    choice = hub_files.choose(listed([*TEXT, *shards, "model.safetensors.index.json"]), "", "org/m", code=False)
    assert "model.safetensors.index.json" in choice.first and not set(shards) & set(choice.first)


def test_a_folder_of_the_repository() -> None:
    files = listed(["small/config.json", "small/model.safetensors", "large/config.json", "large/model.safetensors"])
    choice = hub_files.choose(files, "small", "org/m", code=False)
    assert choice.base == "small/" and choice.first["config.json"].path == "small/config.json"


OLD = ["modules.json", "1_Pooling/config.json", "README.md"]  # sentence-transformers before version 1
NET = [f"0_BERT/{name}" for name in ("config.json", "tokenizer.json", "vocab.txt", "sentence_bert_config.json")]


@pytest.mark.parametrize("weights", ["model.safetensors", "model.safetensors.index.json"])
def test_a_net_below_its_folder(weights: str) -> None:
    other = ["0_BERT/pytorch_model.bin", "0_BERT/rust_model.ot", "0_BERT/modeling_x.py", "2_Other/notes.txt"]
    choice = hub_files.choose(listed([*OLD, *NET, *other, f"0_BERT/{weights}"]), "", "org/m", code=False)
    index = [f"0_BERT/{weights}"] if weights.endswith(".json") else []
    assert choice.model == "" and sorted(choice.first) == sorted([*OLD, *NET, *index])
    with pytest.raises(SourceError, match="pickled"):
        hub_files.choose(listed([*OLD, *NET, *other]), "", "org/m", code=False)


def test_the_weights_of_a_net_below_its_folder_are_named_from_the_top(tmp_path: Path) -> None:
    kinds = [{"idx": 0, "path": "0_BERT", "type": "sentence_transformers.models.Transformer"}]
    (tmp_path / "modules.json").write_text(json.dumps(kinds), encoding="utf-8")
    (tmp_path / "0_BERT").mkdir()
    (tmp_path / "0_BERT" / "config.json").write_text('{"architectures": ["BertModel"], "model_type": "bert"}')
    assert hub.named(tmp_path, "", trust=False) == ["0_BERT/model.safetensors"]
    index = {"weight_map": {"a": "model-00001-of-00001.safetensors"}}
    (tmp_path / "0_BERT" / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    assert hub.named(tmp_path, "", trust=False) == ["0_BERT/model-00001-of-00001.safetensors"]


def test_a_graph_with_what_lies_beside_it() -> None:
    files = listed([*TEXT, "onnx/model.onnx", "onnx/model.onnx_data", "onnx/config.json", "onnx/model_int8.onnx"])
    choice = hub_files.choose(files, "onnx/model.onnx", "org/m", code=False)
    assert choice.model == "model.onnx" and choice.first["model.onnx"].path == "onnx/model.onnx"
    assert choice.first["config.json"].path == "onnx/config.json", "its own comes before that of the top"
    assert choice.first["tokenizer.json"].path == "tokenizer.json"
    assert hub_files.rest(files, choice, ["model.onnx_data"], "org/m")["model.onnx_data"].path.startswith("onnx/")


def test_the_only_model_needs_no_path() -> None:
    assert hub_files.choose(listed(["a/net.onnx", "x.txt"]), "", "org/m", code=False).model == "net.onnx"
    choice = hub_files.choose(listed([*TEXT, "m.Q4_K_M.gguf"]), "", "org/m", code=False)
    assert sorted(choice.first) == ["LICENSE", "README.md", "m.Q4_K_M.gguf"]


@pytest.mark.parametrize(
    ("names", "path", "message", "next"),
    [
        (["a.gguf", "b.gguf"], "", "holds 2 models", "hf:org/m#a.gguf"),
        (["config.json", "pytorch_model.bin"], "", r"are pickled \(pytorch_model.bin\)", "another revision"),
        (["x.pt"], "x.pt", r"are pickled \(x.pt\)", "another revision"),
        (["config.json", "adapter.safetensors"], "", "holds no model that edgekit reads", "another revision"),
        (["model.safetensors"], "model.safetensors", "is no model file", ".onnx or .gguf"),
        (["m-00001-of-00002.gguf"], "m-00001-of-00002.gguf", "one part of a split model", "llama-gguf-split"),
        (["onnx/model.onnx"], "onnx/modle.onnx", "did you mean 'onnx/model.onnx'", "tree/main"),
        ([], "", "holds no ''", "tree/main"),
    ],
)
def test_what_is_not_fetched(names: list[str], path: str, message: str, next: str) -> None:
    with pytest.raises(SourceError, match=message) as error:
        hub_files.choose(listed(names), path, "org/m", code=False)
    assert next in error.value.next and "\n" not in error.value.message


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "a/../../x", "a\\..\\x", "C:x", "a//b", "./x", "a\0b", "a\nb", "", "a/.."]
)
def test_a_listing_that_leads_outside(path: str) -> None:
    with pytest.raises(SourceError, match="leads outside") as error:
        listed([path])
    assert error.value.message.isprintable()


@pytest.mark.parametrize("digest", ["", "abc", "A" * 64, "a" * 63])
def test_a_listing_without_digests(digest: str) -> None:
    with pytest.raises(SourceError, match="without a digest"):
        hub_files.listing([{"path": "x", "size": 1, "sha256": digest, "blob": ""}], "org/m")


def test_a_graph_of_an_engines_folder_is_refused_before_its_weights_come() -> None:
    files = listed(["cpu/genai_config.json", "cpu/model.onnx", "cpu/model.onnx.data", "onnx/model.onnx"])
    with pytest.raises(SourceError, match=r"^cpu/model\.onnx is a graph of org/m, which is built for "):
        hub_files.choose(files, "cpu", "org/m", code=False)
    assert hub_files.choose(files, "onnx/model.onnx", "org/m", code=False).model == "model.onnx"
