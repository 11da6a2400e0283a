"""What is changed before staging lies in the workspace; the cache's entries are as they were."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

from edgekit import target
from edgekit.bundle.settle import Settled, floor, settle
from edgekit.catalog.cards import Card, Labels
from edgekit.errors import BuildError
from edgekit.kinds.llm import LlmContract
from edgekit.kinds.tensor import TensorContract
from edgekit.model import Tensor, TextInput
from edgekit.sources import open_source
from edgekit.sources.source import Source
from edgekit.target import Target
from tests.golden import manifests
from tests.unit.bundle.tiny_bundle import contents, write_model
from tests.unit.partition.small_graphs import model, node, save

pytestmark = pytest.mark.unit

TEXT = Tensor(name="x", dtype="int64", shape=(1, 8), preprocess=TextInput(feature="ids"))
LLM = LlmContract(eos_token_ids=(7, 9), context_length=2048, max_length=512, vocab_size=640)
TENSOR = TensorContract(inputs=(), outputs=())
FLOOR = "1.20.1"


@pytest.fixture
def source(tmp_path: Path) -> Source:
    (tmp_path / "source").mkdir()
    return open_source(str(manifests.net(tmp_path / "source" / "net.onnx")))


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> Target:
    """A target whose oldest runtime is FLOOR."""
    monkeypatch.setattr(Target, "engine_floor", lambda self, kind: FLOOR)
    return target.load("linux-cpu")


def settled(
    tmp_path: Path, built: dict[str, Path], contract: LlmContract | TensorContract, source: Source, into: Target
) -> Settled:
    """Settle, and see that what was built is as it was and that nothing was written but what is settled."""
    before = {name: contents(folder) for name, folder in built.items()}
    work = tmp_path / "work"
    work.mkdir()
    form = "genai" if isinstance(contract, LlmContract) else "onnx"
    done = settle(built, form, contract, source, into, str(work), keep=False)
    assert {name: contents(folder) for name, folder in built.items()} == before
    assert set(contents(work)) == {
        path.relative_to(work).as_posix() for path in done.files.values() if path.is_relative_to(work)
    }
    return done


def test_a_graph_that_is_lowered_is_a_copy_and_its_weights_stay(tmp_path: Path, source: Source, old: Target) -> None:
    folder = tmp_path / "built"
    folder.mkdir()
    write_model(folder)
    proto: Any = onnx.load(str(folder / "model.onnx"), load_external_data=False)
    proto.ir_version = 13
    (folder / "model.onnx").write_bytes(proto.SerializeToString())
    done = settled(tmp_path, {"portable": folder}, TENSOR, source, old)
    assert done.changes == ("portable: IR version 13 lowered to 10",)
    graph = done.files["model/portable/model.onnx"]
    assert graph.is_relative_to(tmp_path / "work") and not floor.check(graph, FLOOR)
    assert done.files["model/portable/model.onnx.data"] == folder / "model.onnx.data"


def test_what_loads_is_taken_from_where_it_lies(tmp_path: Path, source: Source, old: Target) -> None:
    folder = tmp_path / "built"
    (folder / "more").mkdir(parents=True)
    save(folder, model([node("Relu", "x")], {"x": [2]}))
    (folder / "more" / "table.txt").write_text("1")
    done = settled(tmp_path, {"portable": folder}, TENSOR, source, old)
    paths = {f"model/portable/{name}": folder / name for name in ("model.onnx", "more/table.txt")}
    assert done == Settled(paths, ())


def test_a_graph_that_no_floor_takes_is_one_error_and_spoils_nothing(
    tmp_path: Path, source: Source, old: Target
) -> None:
    folder = tmp_path / "built"
    folder.mkdir()
    save(folder, model([node("Nothing", "x", domain="com.microsoft")], {"x": [1]}))
    before = contents(folder)
    (tmp_path / "work").mkdir()
    with pytest.raises(BuildError, match=f"ONNX Runtime {FLOOR}"):
        settle({"portable": folder}, "onnx", TENSOR, source, old, str(tmp_path / "work"), keep=False)
    assert contents(folder) == before


def test_labels_stand_once_and_the_tokenizer_in_every_variant(tmp_path: Path, source: Source) -> None:
    built = {}
    for name in ("portable", "sm8650"):
        built[name] = tmp_path / name
        built[name].mkdir()
        save(built[name], model([node("Relu", "x")], {"x": [2]}))
    (source.path.parent / "tokenizer.json").write_text("{}")
    card = Card(
        name="net",
        title="A net",
        ref="net.onnx",
        license="MIT",
        license_url="",
        source_url="",
        kind="tensor",
        task="",
        labels=Labels(values=("a", "b")),
    )
    contract = TensorContract(inputs=(TEXT,), outputs=(), labels="model/portable/labels.txt")
    read = replace(source, card=card, model=source.model.model_copy(update={"inputs": (TEXT,)}))
    done = settled(tmp_path, built, contract, read, target.load("linux-cpu"))
    assert set(done.files) == {
        "model/portable/labels.txt",
        *(f"model/{name}/{file}" for name in built for file in ("model.onnx", "tokenizer.json")),
    }
    assert done.files["model/portable/labels.txt"].read_text() == "a\nb\n"


def test_a_language_models_configuration_is_the_contracts(tmp_path: Path, source: Source) -> None:
    folder = tmp_path / "built"
    folder.mkdir()
    config: dict[str, Any] = {
        "model": {"type": "llama", "eos_token_id": 7, "context_length": 1, "decoder": {"filename": "model.onnx"}},
        "search": {"max_length": 131072, "top_k": 50},
    }
    (folder / "genai_config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    done = settled(tmp_path, {"portable": folder}, LLM, source, target.load("linux-cpu"))
    written = json.loads(done.files["model/portable/genai_config.json"].read_text())
    config["model"] |= {"eos_token_id": [7, 9], "context_length": 2048}
    config["search"]["max_length"] = 512
    assert written == config
    assert done.files["model/portable/tokenizer.json"] == folder / "tokenizer.json"
