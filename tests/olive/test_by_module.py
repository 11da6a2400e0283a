"""What is quantized, built and cut a tensor at a time has the bytes that Olive's own passes write, killed or not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from edgekit import tools
from edgekit.data import file_digest
from tests import needs
from tests.olive import tiny_llm

pytestmark = pytest.mark.olive
HERE = Path(__file__).parent
RECIPES = {"tied": "int4_mixed", "fused": "int4_kquant", "calibrated": "int4_gptq_mixed"}

Told = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Told]:
    """Tied embeddings and three projections; a fused one; two quantizing passes of which the second takes the ends."""
    home = tmp_path_factory.mktemp("by-module")
    sources = {
        "tied": tiny_llm.llama(home / "llama", dtype="bfloat16"),
        "fused": tiny_llm.phi3(home / "phi3", layers=1),
        "calibrated": tiny_llm.llama(home / "again"),
    }
    cases = [f"{name}={sources[name]}:{recipe}" for name, recipe in RECIPES.items()]
    done = tools.run([sys.executable, HERE / "by_module.py", home / "out", *cases], timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    told: Told = json.loads(done.stdout.splitlines()[-1])
    assert all(run["ended"] == 0 for runs in told.values() for part, run in runs.items() if part != "killed"), (
        done.stderr[-3000:]
    )
    return home / "out", told


def digests(home: Path, part: str) -> dict[str, str]:
    folder = next((home / "optimize").glob(f".*.{part}"))
    return {path.name: file_digest(path) for path in sorted((folder / "model").iterdir())}


@needs.linux
@pytest.mark.parametrize("case", RECIPES)
def test_the_bytes_are_olives(built: tuple[Path, Told], case: str) -> None:
    home, told = built
    assert told[case]["olive"]["written"] == 0 < told[case]["ours"]["written"]
    assert digests(home / case, "ours") == digests(home / case, "olive")


@needs.linux
@pytest.mark.parametrize("case", ["halves", "tables", "whole"])
def test_a_graph_is_cut_as_olive_cuts_it(built: tuple[Path, Told], case: str) -> None:
    """With surgeons that ask for some weights, and with one of Olive's that gets the model whole."""
    theirs, ours = json.loads((built[0] / "cut.json").read_text())[case]
    assert ours == theirs and "model.onnx.data" in ours


@needs.linux
@pytest.mark.parametrize("case", ["tied", "calibrated"])
def test_a_killed_build_goes_on_where_it_was(built: tuple[Path, Told], case: str) -> None:
    home, told = built
    runs = told[case]
    assert runs["killed"]["ended"] == -9
    assert runs["killed"]["written"] + runs["resumed"]["written"] == runs["ours"]["written"]
    assert digests(home / case, "resumed") == digests(home / case, "olive")
    assert not (home / case / "begun").exists()
