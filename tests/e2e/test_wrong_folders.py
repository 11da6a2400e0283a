"""A real model in a folder that is wrong in one place: refused by the metric of that fault, or repaired and said so."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from edgekit import sources
from tests.e2e.command import edgekit, manifest
from tests.olive import tiny_llm

pytestmark = pytest.mark.olive
TEXT_END, TURN_END = 0, 2  # <|endoftext|>, and <|im_end|>, which ends every answer in a chat
CONFIG = "tokenizer_config.json"
ENDLESS = {"eos_token_id": TEXT_END}
FAULTS: dict[str, tuple[dict[str, dict[str, Any]], str]] = {
    "token_mismatch_rate": ({CONFIG: {"tokenizer_class": "CLIPTokenizer"}}, "tokenizer_class"),
    "control_token_splits": ({CONFIG: {"chat_template": tiny_llm.PHI3}}, "template"),
    "eos_ids_missing": (
        {"config.json": ENDLESS, "generation_config.json": ENDLESS, CONFIG: {"eos_token": "<|endoftext|>"}},
        "eos_token_id",
    ),
}


def smollm2(folder: Path, changes: dict[str, dict[str, Any]]) -> Path:
    """The real model's folder with some keys of its files changed; the weights are a hard link where that can be."""

    def copied(path: str, to: str) -> None:
        if path.endswith(".safetensors"):
            with suppress(OSError):
                return os.link(path, to)
        shutil.copyfile(path, to)

    shutil.copytree(sources.open_source("smollm2-135m-instruct").path, folder, copy_function=copied)
    for name, keys in changes.items():
        data = json.loads((folder / name).read_text(encoding="utf-8"))
        (folder / name).write_text(json.dumps(data | keys), encoding="utf-8")
    return folder


@pytest.mark.parametrize("metric", FAULTS)
def test_each_fault_fails_by_its_own_metric_and_seals_nothing(metric: str, tmp_path: Path) -> None:
    changes, advice = FAULTS[metric]
    folder = smollm2(tmp_path / "model", changes)
    out = tmp_path / "out"
    error = edgekit("build", folder, "--target", "linux-cpu", "--quality", "fast", "-o", out, code=9)["error"]
    assert f"{metric} is" in error["message"] and advice in error["next"], error
    assert [path.suffix for path in out.iterdir()] == [".json"], "the report of the gate alone"


def test_a_missing_end_token_that_the_tokenizer_names_is_repaired_and_said(tmp_path: Path) -> None:
    folder = smollm2(tmp_path / "model", {"config.json": ENDLESS, "generation_config.json": ENDLESS})
    words = ("build", folder, "--target", "linux-cpu", "--quality", "fast", "-o", tmp_path / "out")
    (plan,) = edgekit(*words, "--dry-run")["data"]["plans"]
    repair = "end token 2 of tokenizer_config.json added: the model's configuration has [0]"
    assert f"repaired: {repair}" in plan["notes"]
    (built,) = edgekit(*words)["data"]["bundles"]
    made = manifest(Path(built["path"]))
    assert made["model"]["repairs"] == [repair] and made["contract"]["eos_token_ids"] == [TEXT_END, TURN_END]
    found = {one["metric"]: one["value"] for one in made["quality"]["measurements"]}
    assert made["quality"]["verdict"] == "pass" and found["eos_ids_missing"] == 0
    assert found["eos_rate@source"] == 0 and found["eos_rate"] > 0.5  # left as it is, it goes on for ever
