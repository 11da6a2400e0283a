"""Models as a hub's cache keeps them: every file a link to a blob beside the snapshots, and no link any further."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgekit.errors import SourceError
from edgekit.model import TextInput
from edgekit.sources import open_source
from edgekit.sources.facts.files import name_of
from tests.unit.sources.tiny_models import save_llama, save_onnx

pytestmark = pytest.mark.unit

COMMIT = "a" * 40


def snapshot(made: Path, repository: Path, commit: str = COMMIT) -> Path:
    """The files of a folder, moved into a repository's part of a hub's cache: blobs, and links to them."""
    (repository / "blobs").mkdir(parents=True, exist_ok=True)
    folder = repository / "snapshots" / commit
    for file in sorted(path for path in made.rglob("*") if path.is_file()):
        below = file.relative_to(made)
        blob = repository / "blobs" / f"{len(list((repository / 'blobs').iterdir()))}"
        shutil.move(file, blob)
        (folder / below).parent.mkdir(parents=True, exist_ok=True)
        (folder / below).symlink_to("/".join([".."] * (len(below.parts) + 1) + ["blobs", blob.name]))
    return folder


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """A repository in which onnx/ holds a graph with weights of its own file."""
    made = tmp_path / "made" / "onnx"
    made.mkdir(parents=True)
    save_onnx(made / "model.onnx", external="model.onnx_data")
    snapshot(made.parent, tmp_path / "models--org--Tiny-Net")
    return tmp_path / "models--org--Tiny-Net"


def _weights(path: Path) -> np.ndarray:
    """As onnx itself reads them, which takes no links."""
    return onnx.numpy_helper.to_array(onnx.load(str(path)).graph.initializer[0])


def test_weights_of_a_graph_that_are_links_to_blobs(hub: Path) -> None:
    source = open_source(str(hub / "snapshots" / COMMIT / "onnx" / "model.onnx"))
    assert (source.model.name, source.ref) == ("tiny-net", "model.onnx")
    assert _weights(source.path).tolist() == np.arange(12, dtype=np.float32).reshape(4, 3).tolist()
    assert sorted(path.name for path in source.path.parent.iterdir()) == ["model.onnx", "model.onnx_data"]
    assert not any(path.is_symlink() for path in source.path.parent.iterdir())


def test_a_graph_at_the_top_with_what_lies_beside_it(tmp_path: Path) -> None:
    """The whole folder by its name, with config.json, tokenizer.json and a licence, in a weights folder of its own."""
    made = save_llama(tmp_path / "made")
    (made / "model.safetensors").unlink()
    (made / "weights").mkdir()
    save_onnx(made / "model.onnx", external="weights/all.bin", name="input_ids")
    (made / "LICENSE").write_text("the licence")
    (made / "huge.bin").write_bytes(b"\0" * 100)
    source = open_source(str(snapshot(made, tmp_path / "models--org--tiny.v2")))
    form = source.model.inputs[0].preprocess
    assert source.model.name == "tiny.v2" and form is not None and form.kind == "text" and form.max_tokens == 64
    assert [path.read_text() for path in source.licenses] == ["the licence"] and _weights(source.path).size == 12
    assert not (source.path.parent / "huge.bin").exists(), "only what is read is copied"


def test_a_link_to_a_snapshot_is_the_snapshot(tmp_path: Path, hub: Path) -> None:
    (tmp_path / "mine").symlink_to(hub / "snapshots" / COMMIT / "onnx")
    source = open_source(str(tmp_path / "mine"))
    assert source.model.name == "mine" and _weights(source.path).size == 12


def test_another_revision_is_another_model(tmp_path: Path, hub: Path) -> None:
    """Its graph is the same file; the weights behind the same name are not."""
    first = open_source(str(hub / "snapshots" / COMMIT / "onnx"))
    made = tmp_path / "next" / "onnx"
    made.mkdir(parents=True)
    save_onnx(made / "model.onnx", external="model.onnx_data")
    (made / "model.onnx_data").write_bytes(np.zeros(12, np.float32).tobytes())
    second = open_source(str(snapshot(made.parent, hub, "b" * 40) / "onnx"))
    assert first.model.sha256 != second.model.sha256 and first.path != second.path
    assert _weights(second.path).max() == 0 and _weights(first.path).max() == 11


def test_links_within_a_plain_folder(tmp_path: Path) -> None:
    save_onnx(tmp_path / "net.onnx", external="net.data")
    (tmp_path / "net.data").rename(tmp_path / "shared.bin")
    (tmp_path / "net.data").symlink_to("shared.bin")
    assert _weights(open_source(str(tmp_path / "net.onnx")).path).size == 12


@pytest.mark.parametrize("case", ["elsewhere", "another model's blob", "blobs are a link", "above the blobs"])
def test_a_link_that_leads_out_of_the_hubs_part_is_refused(case: str, tmp_path: Path, hub: Path) -> None:
    data = hub / "snapshots" / COMMIT / "onnx" / "model.onnx_data"
    secret = {
        "elsewhere": tmp_path / "secret",
        "another model's blob": tmp_path / "models--org--other" / "blobs" / "1",
        "blobs are a link": hub / "blobs" / "1",
        "above the blobs": hub / "refs",
    }[case]
    if case == "blobs are a link":
        (hub / "blobs").rename(tmp_path / "outside")
        (hub / "blobs").symlink_to(tmp_path / "outside")
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_bytes(b"\1" * 48)
    data.unlink()
    data.symlink_to(secret)
    with pytest.raises(SourceError, match="lies outside the model's folder") as error:
        open_source(str(data.parent))
    assert error.value.exit_code == 4 and "cp -L" in error.value.next


def test_weights_in_a_folder_that_is_a_link_out(tmp_path: Path) -> None:
    """The file's own folder is where it should be, the folder is not the model's."""
    (tmp_path / "net" / "weights").mkdir(parents=True)
    save_onnx(tmp_path / "net" / "model.onnx", external="weights/all.bin")
    (tmp_path / "net" / "weights").rename(tmp_path / "theirs")
    (tmp_path / "net" / "weights").symlink_to(tmp_path / "theirs")
    with pytest.raises(SourceError, match="lies outside"):
        open_source(str(tmp_path / "net"))


def test_a_blob_that_was_not_downloaded_to_its_end(hub: Path) -> None:
    data = hub / "snapshots" / COMMIT / "onnx" / "model.onnx_data"
    data.resolve().unlink()
    with pytest.raises(SourceError, match=r"its external data 'model\.onnx_data' is missing"):
        open_source(str(data.parent))


@pytest.mark.parametrize("below", ["1_Pooling/config.json", "2_Dense/deep/config.json", "2_Dense"])
def test_a_folder_with_a_link_out_of_it_at_any_depth(below: str, tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "net")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "config.json").write_text(json.dumps({}))
    (folder / below).parent.mkdir(parents=True, exist_ok=True)
    (folder / below).symlink_to(tmp_path / "secret" / ("" if below == "2_Dense" else "config.json"))
    with pytest.raises(SourceError, match=f"{below} is a link that leads out"):
        open_source(str(folder))


def test_links_to_blobs_below_the_top_are_inside(tmp_path: Path) -> None:
    made = save_llama(tmp_path / "made")
    (made / "1_Pooling").mkdir()
    (made / "1_Pooling" / "config.json").write_text("{}")
    source = open_source(str(snapshot(made, tmp_path / "models--org--tiny")))
    assert source.form == "hf" and source.model.name == "tiny"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/hub/models--org--Net-v1/snapshots/0123/onnx/model.onnx", "net-v1"),
        ("/hub/models--org--Net-v1/snapshots/0123", "net-v1"),
        ("/hub/models--org--Net-v1/snapshots/0123/encoder.onnx", "encoder"),
        ("/hub/models--gpt2/snapshots/0123", "gpt2"),
        ("/camera/snapshots/0123", "0123"),
        ("/nets/Net/onnx/model.onnx", "net"),
        ("/model/onnx/model.onnx", "model"),
    ],
)
def test_names(path: str, name: str) -> None:
    assert name_of(Path(path)) == name


def test_weights_that_have_another_name_too(tmp_path: Path) -> None:
    """A copy by hard links, which onnx takes for an attack."""
    path = save_onnx(tmp_path / "tiny.onnx", external="tiny.data")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "tiny.data").hardlink_to(tmp_path / "tiny.data")
    with pytest.raises(onnx.checker.ValidationError, match="hard links"):
        onnx.load(str(path))
    source = open_source(str(path))
    assert _weights(source.path).tolist() == np.arange(12, dtype=np.float32).reshape(4, 3).tolist()
    assert source.path.parent != tmp_path and source.model.name == "tiny"


def test_a_graph_in_onnx_is_described_by_the_folder_above(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    (folder / "onnx").mkdir(parents=True)
    path = save_onnx(folder / "onnx" / "model_fp16.onnx", external="model.onnx_data", name="input_ids")
    (folder / "config.json").write_text(json.dumps({"architectures": ["BertModel"], "model_type": "bert"}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    source = open_source(str(path))
    made = source.model.inputs[0].preprocess
    assert isinstance(made, TextInput) and source.model.license == "mit"
    assert (source.path.parent / "tokenizer.json").is_file() and (source.path.parent / "model.onnx_data").is_file()
    (folder / "onnx" / "config.json").write_text(json.dumps({}))
    assert open_source(str(path)).path == path


def test_weights_that_lead_out_of_onnx_stay_refused(tmp_path: Path) -> None:
    (tmp_path / "net" / "onnx").mkdir(parents=True)
    path = save_onnx(tmp_path / "net" / "onnx" / "model.onnx", external="model.onnx_data")
    (tmp_path / "net" / "config.json").write_text("{}")
    shutil.move(path.parent / "model.onnx_data", tmp_path / "elsewhere")
    with pytest.raises(SourceError, match="is missing"):
        open_source(str(path))
    (path.parent / "model.onnx_data").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match="outside"):
        open_source(str(path))
