"""What is said of a model that does not read it is refused, or told in a line; a meter that is not there, refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import helper

from edgekit import commands, sources
from edgekit.errors import UsageError
from edgekit.quality._inputs import data_of
from tests.unit.bundle.tiny_bundle import build, origin
from tests.unit.inputs import nets
from tests.unit.inputs.nets import value
from tests.unit.sources.tiny_models import save_llama

pytestmark = pytest.mark.unit


@pytest.fixture
def net(tmp_path: Path) -> str:
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    return str(nets.save(tmp_path / "net.onnx", nodes, [value("x", [1, 4])], [value("y", [1, 4])], {}))


@pytest.fixture
def folder(tmp_path: Path) -> str:
    save_llama(tmp_path / "llama")
    return str(tmp_path / "llama")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--input-spec", "x:image"], "llama takes texts, --input-spec is for tensors"),
        (["--calibration", "HERE", "--labels", "LABELS"], "llama takes texts, --labels is for tensors"),
        (["--task", "fill-mask"], "generates text, it cannot be built for the task 'fill-mask'"),
    ],
)
def test_a_language_model_refuses_what_is_for_nets(
    words: list[str], said: str, folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "labels.csv").write_text("a,b\n")
    places = {"LABELS": str(tmp_path / "labels.csv"), "HERE": str(tmp_path / "texts")}
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("a text\n")
    asked = [places.get(word, word) for word in words]
    assert commands.main(["build", folder, "--target", "linux-cpu", "--dry-run", *asked]) in (2, 4)
    assert said in capsys.readouterr().err


def test_a_net_refuses_text(net: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="takes tensors, --text is for language models"):
        data_of(None, sources.open_source(net), None, tmp_path)


def test_what_changes_nothing_is_told(net: str, folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    sources.open_source(net, task="image-classification", trust_remote_code=True)
    said = capsys.readouterr().err
    assert "--task image-classification only says what net is for" in said
    assert "--trust-remote-code changes nothing: net brings no code" in said
    sources.open_source(folder, task="text-generation", trust_remote_code=True)
    said = capsys.readouterr().err
    assert "--task" not in said and "--trust-remote-code changes nothing: llama brings no code" in said
    sources.open_source(net)
    assert "--t" not in capsys.readouterr().err


def test_a_meter_whose_file_is_missing_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = str(tmp_path / "bundle")
    build(Path(bundle), origin(tmp_path))
    assert commands.main(["check", bundle, "--meter", f"csv:{tmp_path / 'none.csv'}"]) == 2
    said = capsys.readouterr().err
    assert "none.csv is not there" in said and "goldens" not in said


def test_fit_says_that_a_net_is_no_language_model(net: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["fit", net, "--ram", "8GB"]) == 4
    assert "net.onnx is no language model" in capsys.readouterr().err
