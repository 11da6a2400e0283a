"""The graph builder's rotary tables against those computed from config.json, for every kind of rotary embedding."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edgekit.quality import rope
from edgekit.quality._context import GateContext
from edgekit.sources.facts import newer
from tests.olive import tiny_llm

pytestmark = pytest.mark.olive

ORIGINAL = {"original_max_position_embeddings": 128}
KINDS: dict[str, dict[str, Any]] = {
    "default": {"rope_theta": 500_000.0},
    "linear": {"rope_scaling": {"rope_type": "linear", "factor": 4.0}},
    "llama3": {
        "rope_theta": 500_000.0,
        "rope_scaling": {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            **ORIGINAL,
        },
    },
    "longrope": tiny_llm.longrope(128, 512),
    "longrope, partial": {**tiny_llm.longrope(128, 512, head=24), "partial_rotary_factor": 0.75, "hidden_size": 128},
}
# Each is written in full on opening: the builder passes over YaRN that names no beta, and rounds no range.
YARN: dict[str, dict[str, Any]] = {
    "yarn": {"factor": 4.0, **ORIGINAL},
    "yarn, as Qwen2.5": {"factor": 4.0, "original_max_position_embeddings": 32768, "theta": 1e6, "type": "yarn"},
    "yarn, own betas": {"factor": 8.0, "beta_fast": 16.0, "beta_slow": 2.0, "original_max_position_embeddings": 4096},
    "yarn, own factor": {"factor": 4.0, "attention_factor": 0.8, "truncate": False, **ORIGINAL},
    "yarn, mscale": {"factor": 16.0, "mscale": 1.0, "mscale_all_dim": 0.5, "original_max_position_embeddings": 2048},
    "yarn, mscale alone": {"factor": 4.0, "mscale": 0.7, **ORIGINAL},
}
for _name, _yarn in YARN.items():
    _theta = {"rope_theta": _yarn.pop("theta")} if "theta" in _yarn else {}
    KINDS[_name] = {"rope_scaling": {"rope_type": "yarn", **_yarn}, **_theta}
TWO = "linear, beside local layers"  # as Gemma 3 of 4B and more
BUILD = """
import json, sys
from onnxruntime_genai.models.builder import create_model
for source, out in json.load(open(sys.argv[1])):
    create_model("m", source, out, "fp32", "cpu", out + "/cache", hf_remote="false")
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """By kind, a tiny model's folder and the graph that GenAI's builder makes of it; one process for all."""
    room = tmp_path_factory.mktemp("rope")
    made = {}
    for at, (kind, changes) in enumerate(KINDS.items()):
        make = tiny_llm.phi3 if kind.startswith("longrope") else tiny_llm.llama
        made[kind] = make(room / f"source{at}", **changes), room / f"built{at}"
    made[TWO] = tiny_llm.gemma3(room / "two", rope_scaling={"rope_type": "linear", "factor": 8.0}), room / "built-two"
    pairs = [[str(in_older_words(source)), str(model)] for source, model in made.values()]
    (room / "request.json").write_text(json.dumps(pairs))
    subprocess.run([sys.executable, "-c", BUILD, str(room / "request.json")], check=True, stdout=subprocess.DEVNULL)
    return made


def in_older_words(source: Path) -> Path:
    """The folder as it is built: a copy, where something of it is said in other words."""
    changed = newer.repairs(source).files
    return (
        tiny_llm.copy(source, source.with_name(f"{source.name}-repaired"), config=changed["config.json"])
        if changed
        else source
    )


def error(source: Path, model: Path) -> float | None:
    """What the gate measures of a graph beside a source; None where it has nothing to say."""
    context = SimpleNamespace(source=SimpleNamespace(path=source), model=model)
    found = rope.measure(cast(GateContext, context))
    return found[0].value if found else None


@pytest.mark.parametrize("kind", KINDS)
def test_tables_of_every_kind(built: dict[str, tuple[Path, Path]], kind: str) -> None:
    value = error(*built[kind])
    assert value is not None and value < 1e-4


def test_the_local_layers_of_gemma_3_are_not_scaled(built: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    """The builder scales them, too; the gate sees it, and a surgery of every recipe puts it right."""
    import onnx

    from edgekit.jobs.olive.passes.local_rope import EdgekitLocalRope

    source, model = built[TWO]
    value = error(source, model)
    assert value is not None and value > 0.5
    graph = EdgekitLocalRope(str(source))(onnx.load(str(model / "model.onnx")))
    onnx.save(graph, str(tmp_path / "model.onnx"))
    mended = error(source, tmp_path)
    assert mended is not None and mended < 1e-4
    config = json.loads((source / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"rope_scaling": None}))
    untouched = onnx.load(str(model / "model.onnx"))
    assert EdgekitLocalRope(str(tmp_path))(untouched).SerializeToString() == untouched.SerializeToString()


CHANGED: dict[str, tuple[str, dict[str, Any]]] = {
    "a theta that was passed over": ("default", {"rope_theta": 10_000.0}),
    "a factor that was passed over": ("default", {"rope_scaling": {"rope_type": "linear", "factor": 2.0}}),
    "another factor": ("linear", {"rope_scaling": {"rope_type": "linear", "factor": 2.0}}),
    "a kind that was passed over": ("llama3", {"rope_scaling": None}),
    "partial, read as whole": ("default", {"partial_rotary_factor": 0.5}),
    "long factors that were passed over": ("longrope", {"rope_scaling": None}),
    "other long factors": (
        "longrope",
        {"rope_scaling": {"type": "longrope", "short_factor": [1.0] * 8, "long_factor": [3.0] * 8}},
    ),
    "other short factors": (
        "longrope",
        {"rope_scaling": tiny_llm.longrope(128, 512)["rope_scaling"] | {"short_factor": [1.1] * 8}},
    ),
    "another original length": ("longrope", {"original_max_position_embeddings": 64}),
}


@pytest.mark.parametrize("case", CHANGED)
def test_a_graph_of_another_configuration_is_seen(
    built: dict[str, tuple[Path, Path]], case: str, tmp_path: Path
) -> None:
    kind, changes = CHANGED[case]
    source, model = built[kind]
    shutil.copytree(source, tmp_path / "source")
    path = tmp_path / "source" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    value = error(tmp_path / "source", model)
    assert value is not None and value > 0.01


def test_a_kind_that_nobody_knows_is_not_measured(built: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    source, model = built["default"]
    shutil.copytree(source, tmp_path / "source")
    path = tmp_path / "source" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rope_scaling": {"rope_type": "spiral"}}))
    assert error(tmp_path / "source", model) is None
