"""`edgekit inspect --partition`: what it shows of a bundle, packed or not, and what it takes from the manifest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit import partition
from edgekit.bundle.zip import zip_bundle
from edgekit.commands import main
from edgekit.data import jsonable
from edgekit.kinds.variant import Variant
from edgekit.results.partition import Partition
from tests.unit.bundle.tiny_bundle import NAME, build, draft, origin
from tests.unit.injections import reseal, weights

pytestmark = pytest.mark.runtimes

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def made_of(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return origin(tmp_path_factory.mktemp("origin"))


def bundle(folder: Path, made_of: tuple[Path, Path], ep: str = "cpu", **found: Partition) -> Path:
    variant = Variant(name="portable", path="model/portable/model.onnx", ep=ep)
    build(folder / NAME, made_of, draft(variants=(variant,)), partition=found)
    return folder / NAME


def shown(capsys: Capture, *words: str) -> Any:
    capsys.readouterr()
    assert main(["inspect", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)["data"]


def test_a_bundle_for_this_machine_is_measured(tmp_path: Path, made_of: tuple[Path, Path], capsys: Capture) -> None:
    found = bundle(tmp_path, made_of)
    (one,) = shown(capsys, str(found), "--partition")["partition"]["portable"]
    assert (one["ep"], one["how"], one["evidence"], one["nodes_taken"]) == ("cpu", "measured", "host", 1)
    assert "partition" not in shown(capsys, str(found))


def test_a_packed_bundle_for_elsewhere_is_predicted(
    tmp_path: Path, made_of: tuple[Path, Path], capsys: Capture
) -> None:
    """The weights lie in another file and the batch is named, not fixed: all of it inside a .zip."""
    packed = tmp_path / "packed.zip"
    zip_bundle(bundle(tmp_path, made_of, ep="nnapi"), packed)
    (one,) = shown(capsys, str(packed), "--partition")["partition"]["portable"]
    assert (one["ep"], one["how"], one["evidence"], one["coverage"]) == ("nnapi", "predicted", "static", 0.0)
    assert one["blockers"][0]["reason"] == "the size of an input varies"
    assert one["weight_bytes"] == 96 * 96 * 4


def test_people_read_the_word_and_the_advice(tmp_path: Path, made_of: tuple[Path, Path], capsys: Capture) -> None:
    found = bundle(tmp_path, made_of, ep="nnapi")
    assert main(["inspect", str(found), "--partition"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for words in ("Placement of variant portable on nnapi: predicted", "evidence: static", "0.0%", "0 of 1 nodes"):
        assert words in text, text
    assert "make_dynamic_shape_fixed" in text


def test_what_the_build_recorded_is_shown(tmp_path: Path, made_of: tuple[Path, Path], capsys: Capture) -> None:
    """Recorded placement wins: the build may have had what this machine has not."""
    recorded = partition.predict(made_of[0] / "model.onnx", "coreml")
    found = bundle(tmp_path, made_of, ep="coreml", portable=recorded)
    assert shown(capsys, str(found), "--partition")["partition"]["portable"] == [jsonable(recorded)]


def test_a_stranger_s_graph_is_verified_before_an_engine_opens_it(
    tmp_path: Path, made_of: tuple[Path, Path], capsys: Capture
) -> None:
    found = bundle(tmp_path, made_of)
    for path in [found, *found.rglob("*")]:
        path.chmod(0o755)
    weights("../../../secret")(found / "model/portable")
    reseal(found)
    assert main(["inspect", str(found)]) == 0
    assert main(["inspect", str(found), "--partition"]) == 6
    assert "it names the file '../../../secret'" in capsys.readouterr().err


def test_a_provider_that_nobody_knows_here_says_so(tmp_path: Path, made_of: tuple[Path, Path], capsys: Capture) -> None:
    found = bundle(tmp_path, made_of, ep="xnnpack")
    assert main(["inspect", str(found), "--partition"]) == 7
    assert "no session of xnnpack here" in capsys.readouterr().err
