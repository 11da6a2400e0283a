"""A real model in a folder that is wrong in one place: refused by the metric of that fault, or repaired and said so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from edgekit import sources
from tests.e2e.command import edgekit, judged, manifest, said
from tests.olive import tiny_llm

pytestmark = pytest.mark.olive
TEXT_END, TURN_END = 0, 2  # <|endoftext|>, and <|im_end|>, which ends every answer in a chat
CONFIG = "tokenizer_config.json"
OPENED = "source_faults"  # said on opening; the others need a build, of a small model in test_llm_gates.py
ENDLESS = {"eos_token_id": TEXT_END}
FAULTS: dict[str, tuple[dict[str, dict[str, Any]], str]] = {
    "token_mismatch_rate": ({CONFIG: {"tokenizer_class": "CLIPTokenizer"}}, "tokenizer_class"),
    OPENED: ({CONFIG: {"chat_template": tiny_llm.PHI3}}, "template"),
    "control_token_splits": ({CONFIG: {"chat_template": tiny_llm.PHI3}}, "template"),
    "eos_ids_missing": (
        {"config.json": ENDLESS, "generation_config.json": ENDLESS, CONFIG: {"eos_token": "<|endoftext|>"}},
        "eos_token_id",
    ),
}


def smollm2(folder: Path, changes: dict[str, dict[str, Any]]) -> Path:
    """The real model's folder with some keys of its files changed.

    A copy: a hard link to the cache's file would change its times, and a build that reads it in another test would end.
    """
    shutil.copytree(sources.open_source("smollm2-135m-instruct").path, folder, copy_function=shutil.copyfile)
    for name, keys in changes.items():
        data = json.loads((folder / name).read_text(encoding="utf-8"))
        (folder / name).write_text(json.dumps(data | keys), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "metric", [name if name == OPENED else pytest.param(name, marks=pytest.mark.nightly) for name in FAULTS]
)
def test_each_fault_fails_by_its_own_metric_and_seals_nothing(metric: str, tmp_path: Path) -> None:
    changes, advice = FAULTS[metric]
    folder = smollm2(tmp_path / "model", changes)
    out = tmp_path / "out"
    words = ("build", folder, "--target", "linux-cpu", "--quality", "fast", "-o", out)
    if metric == OPENED:
        error = edgekit(*words, code=11)["error"]
        assert "chat template is another model's" in error["message"] and "--accept-source" in error["next"], error
        assert not out.exists(), "said on opening"
        return
    error = edgekit(*words, "--accept-source", code=9)["error"]
    assert f"{metric} is" in error["message"] and advice in error["next"], error
    assert [path.suffix for path in out.iterdir()] == [".json"], "the report of the gate alone"


@pytest.mark.nightly
def test_a_missing_end_token_that_the_tokenizer_names_is_repaired_and_said(tmp_path: Path) -> None:
    folder = smollm2(tmp_path / "model", {"config.json": ENDLESS, "generation_config.json": ENDLESS})
    words = ("build", folder, "--target", "linux-cpu", "--quality", "fast", "-o", tmp_path / "out")
    (plan,) = edgekit(*words, "--dry-run")["data"]["plans"]
    repair = "end token 2 of tokenizer_config.json added: the model's configuration has [0]"
    assert f"repaired: {repair}" in plan["notes"]
    (built,) = edgekit(*words)["data"]["bundles"]
    made = manifest(Path(built["path"]))
    assert made["model"]["repairs"] == [repair] and made["contract"]["eos_token_ids"] == [TEXT_END, TURN_END]
    found = {one["metric"]: one["value"] for one in judged(made)["measurements"]}
    assert judged(made)["verdict"] == "pass" and found["eos_ids_missing"] == 0
    assert found["eos_rate@source"] == 0 and found["eos_rate"] > 0.5  # left as it is, it goes on for ever


def spoil(folder: Path, change: str) -> None:
    """One part of a sound folder, made as bad sources have it."""
    if change == "another tokenizer":
        tiny_llm.tokenizer(folder)
        return
    import torch
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    table = weights["model.embed_tokens.weight"]
    if change == "mixed-up tokens":
        weights["model.embed_tokens.weight"] = table[torch.randperm(len(table), generator=torch.manual_seed(0))]
    if change == "no end":
        table[[TEXT_END, TURN_END]] = 0  # a logit of nothing, where others are of ten and more
    if change == "random weights":
        for name, weight in weights.items():
            norm = weight.ndim == 1
            weights[name] = torch.ones_like(weight) if norm else 0.02 * torch.randn(weight.shape).to(weight.dtype)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


ON_OPENING = {
    "another tokenizer": "it is another model's",
    "random weights": "its weights look random",
}
BY_RUNNING = {
    "mixed-up tokens": "its perplexity on text is",
    "no end": "none of 16 answers ends within",
    "linear": "its rotary settings (linear) make short text worse",
    "theta": "its rotary settings (rope_theta 10) make short text worse",
}
ROPE = {"linear": {"rope_scaling": {"rope_type": "linear", "factor": 16.0}}, "theta": {"rope_theta": 10.0}}


@pytest.mark.nightly
@pytest.mark.parametrize("change", [*ON_OPENING, *BY_RUNNING])
def test_a_bad_source_is_named_by_its_fault(change: str, tmp_path: Path) -> None:
    """On opening, before anything is built, where the files show it; else by the gate's first look at the source."""
    folder = smollm2(tmp_path / "model", {"config.json": ROPE.get(change, {})})
    if change not in ROPE:
        spoil(folder, change)
    words = ("build", folder, "--target", "linux-cpu", "--quality", "fast", "--recipe", "int4_rtn")
    document, told = said(*words, "-o", tmp_path / "out", codes=(11,))
    error = document["error"]
    assert {**ON_OPENING, **BY_RUNNING}[change] in error["message"] and "--accept-source" in error["next"], error
    assert ("quantizing" in told) == (change in BY_RUNNING)
    if change in BY_RUNNING:
        (findings,) = (tmp_path / "out").glob("*.quality.json")
        report = json.loads(findings.read_text(encoding="utf-8"))
        assert (report["verdict"], report["proof"]) == ("invalid", "built")
        assert [figure["metric"] for figure in report["measurements"]] == ["source_faults"]
