"""Layouts of sentence-transformers folders of several versions, and where their texts are cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import SourceError
from edgekit.model import Tensor, TextInput
from edgekit.sources import hf, open_source
from edgekit.sources.facts import beside, hub_files, modules, preprocess
from tests.unit.sources.facts.test_beside import ST, say
from tests.unit.sources.tiny_models import save_llama

pytestmark = pytest.mark.unit

IDS = Tensor(name="input_ids", dtype="int64", shape=("batch", "sequence"))


def old(folder: Path, net: str = "0_Transformer") -> Path:
    """A folder whose net lies below, as version 0.x wrote it."""
    save_llama(folder / net)
    say(folder / "config.json", {"__version__": "0.2.5"})
    say(folder / "1_Pooling" / "config.json", {"pooling_mode_mean_tokens": True})
    rows = [{"path": net, "type": f"{ST}.Transformer"}, {"path": "1_Pooling", "type": f"{ST}.Pooling"}]
    say(folder / "modules.json", rows)
    return folder


@pytest.mark.parametrize("net", ["0_Transformer", "0_BERT", "net"])
def test_a_net_below_is_opened_as_if_it_lay_at_the_top(net: str, tmp_path: Path) -> None:
    folder = old(tmp_path / "My-Model", net)
    assert hf.matches(str(folder)) and modules.net(folder) == folder / net
    source = open_source(str(folder))
    assert source.model.parameters == 1128 and (source.ref, source.model.name) == ("My-Model", "my-model")
    assert (source.path / "1_Pooling" / "config.json").is_file() and not (source.path / net).exists()
    assert modules.steps(source.path) == ([{"kind": "pooling", "modes": ["mean"]}], "")


def test_without_a_configuration_at_the_top(tmp_path: Path) -> None:
    folder = old(tmp_path / "m")
    (folder / "config.json").unlink()
    assert open_source(str(folder)).model.parameters == 1128


def test_what_lies_below_and_is_pickled_is_named(tmp_path: Path) -> None:
    folder = old(tmp_path / "m")
    (folder / "0_Transformer" / "model.safetensors").rename(folder / "0_Transformer" / "pytorch_model.bin")
    with pytest.raises(SourceError, match="pickled") as error:
        open_source(str(folder))
    assert error.value.exit_code == 4


@pytest.mark.parametrize("below", ["0_Transformer/vocab.txt", "1_Pooling/more.json"])
def test_a_net_below_with_a_link_out_of_the_folder(below: str, tmp_path: Path) -> None:
    folder = old(tmp_path / "m")
    (tmp_path / "secret").write_text("key")
    (folder / below).symlink_to(tmp_path / "secret")
    with pytest.raises(SourceError, match=f"{below} is a link that leads out"):
        open_source(str(folder))


@pytest.mark.parametrize("text", ["{", "[1]", '[{"path": "../x", "type": "x.Transformer"}]', '[{"type": "x.Pooling"}]'])
def test_a_list_that_names_no_net_is_not_followed(text: str, tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text(text)
    assert modules.net(tmp_path) == tmp_path and not hf.matches(str(tmp_path))


@pytest.mark.parametrize(
    ("said", "config", "tokens"),
    [
        ({}, {}, 128),
        ({"max_seq_length": 256, "do_lower_case": False}, {"max_position_embeddings": 512}, 256),  # all-MiniLM-L6-v2
        ({"max_seq_length": 64}, {"max_position_embeddings": 512}, 64),
        ({"max_seq_length": 8192}, {"max_position_embeddings": 2048}, 2048),
        ({"max_seq_length": 514}, {"max_position_embeddings": 514, "model_type": "xlm-roberta"}, 512),
        ({"max_seq_length": None}, {"max_position_embeddings": 512}, 128),
        ({"max_seq_length": -1}, {"max_position_embeddings": 32}, 32),
        ({"max_seq_length": True}, {}, 128),
    ],
)
def test_texts_are_cut_where_sentence_transformers_cuts_them(
    said: dict[str, Any], config: dict[str, Any], tokens: int, tmp_path: Path
) -> None:
    say(tmp_path / "config.json", config)
    say(tmp_path / "tokenizer.json", {})
    say(tmp_path / "sentence_bert_config.json", said)
    [tensor] = preprocess.infer(tmp_path, (IDS,))
    assert tensor.preprocess == TextInput(feature="ids", max_tokens=tokens)


@pytest.mark.parametrize(("most", "tokens"), [(96, 96), (10**30, 128), ("64", 128), (None, 128)])
def test_since_version_6_the_tokenizer_says_where(most: Any, tokens: int, tmp_path: Path) -> None:
    say(tmp_path / "tokenizer.json", {})
    say(tmp_path / "tokenizer_config.json", {"model_max_length": most})
    assert preprocess.infer(tmp_path, (IDS,))[0].preprocess == TextInput(feature="ids", max_tokens=128)
    say(tmp_path / "sentence_bert_config.json", {"transformer_task": "feature-extraction"})
    assert preprocess.infer(tmp_path, (IDS,))[0].preprocess == TextInput(feature="ids", max_tokens=tokens)


@pytest.mark.parametrize(("said", "named"), [(True, True), (False, False), (None, False)])
def test_lower_case_is_the_apps_and_named(said: bool | None, named: bool, tmp_path: Path) -> None:
    say(tmp_path / "sentence_bert_config.json", {"max_seq_length": 128, "do_lower_case": said})
    assert any("do_lower_case" in line for line in beside.left_out(tmp_path)) == named


def test_the_modules_of_a_hubs_repository_are_fetched_too() -> None:
    """Without them the graph ended at the token vectors, and nothing said so."""
    names = ["config.json", "model.safetensors", "modules.json", "1_Pooling/config.json", "2_Dense/model.safetensors"]
    names += ["sentence_bert_config.json", "config_sentence_transformers.json", "2_Dense/config.json"]
    others = ["2_Dense/pytorch_model.bin", "onnx/model.onnx", "openvino/model.xml", "x/1_Pooling/config.json"]
    files = hub_files.listing([{"path": name, "size": 1, "sha256": "0" * 64} for name in names + others], "org/m")
    choice = hub_files.choose(files, "", "org/m", code=False)
    assert set(choice.first) == set(names) - {"model.safetensors"}
    alone = {name: file for name, file in files.items() if name != "modules.json"}
    assert not any("_" in name and "/" in name for name in hub_files.choose(alone, "", "org/m", code=False).first)
