"""edgekit verify and edgekit inspect, as a user calls them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import edgekit
from edgekit.bundle.zip import zip_bundle
from edgekit.contract.manifest import Quality
from edgekit.kinds.llm import LlmContract
from edgekit.kinds.variant import Compatibility, Variant
from edgekit.results.measurement import Measurement, Verdict
from edgekit.results.metrics import Limit
from tests.unit.bundle.tiny_bundle import NAME, build, draft

pytestmark = pytest.mark.runtimes


def call(*words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(edgekit.__file__).parents[1])}
    command = [sys.executable, "-m", "edgekit", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def document(done: subprocess.CompletedProcess[str]) -> Any:
    found = json.loads(done.stdout)
    assert set(found) == {"schema", "exit_code", "data", "error"}
    assert found["exit_code"] == done.returncode
    return found


def test_a_whole_bundle_verifies(sealed: Path, tmp_path: Path) -> None:
    zip_bundle(sealed, tmp_path / "b.zip")
    for bundle in (sealed, tmp_path / "b.zip"):
        done = call("verify", bundle)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"{NAME} is whole: 7 files, 0.0 MB, sha256 ")
    assert document(call("verify", sealed, "--json"))["data"]["problems"] == []


def test_a_changed_bundle_exits_6_and_names_each_file(bundle: Path) -> None:
    (bundle / "model/portable/labels.txt").write_text("a\nc\n")
    (bundle / "check/plan.json").unlink()
    done = call("verify", bundle)
    assert done.returncode == 6
    assert done.stdout.splitlines() == [
        "missing: 'check/plan.json'",
        "changed: 'model/portable/labels.txt' (its sha256 differs)",
    ]
    assert "is not whole: 2 problems" in done.stderr
    assert "Traceback" not in done.stderr
    found = document(call("verify", bundle, "--json"))
    assert found["error"]["code"] == "bundle"
    assert [problem["what"] for problem in found["data"]["problems"]] == ["missing", "changed"]
    done = call("verify", bundle, "--role", "license", "--role", "runtime")
    assert done.returncode == 0
    assert call("verify", bundle, "--stripped").stdout.count("\n") == 1


def test_no_bundle_exits_6_with_one_line(tmp_path: Path) -> None:
    for command in ("verify", "inspect"):
        done = call(command, tmp_path / "none")
        assert (done.returncode, done.stdout) == (6, "")
        assert "no bundle at" in done.stderr
        found = document(call(command, tmp_path, "--json"))
        assert (found["data"], found["error"]["code"]) == (None, "bundle")


def test_inspect_shows_what_is_in_it(sealed: Path, tmp_path: Path) -> None:
    zip_bundle(sealed, tmp_path / "b.zip")
    texts = [call("inspect", bundle).stdout for bundle in (sealed, tmp_path / "b.zip")]
    assert texts[0] == texts[1]
    for words in ("1 MatMul", "float32", "9,216", "model.onnx.data", "36.9 kB", "n x 96", "tiny.onnx", "MIT"):
        assert words in texts[0]
    data = document(call("inspect", sealed, "--json"))["data"]
    assert data["whole"] is True
    assert data["bytes"] == sum(path.stat().st_size for path in sealed.rglob("*") if path.is_file())
    assert data["graphs"]["portable"]["weights"]["float32"]["bytes"] == 36864
    assert data["roles"]["model"] == {
        "files": 3,
        "bytes": 36864 + 4 + (sealed / "model/portable/model.onnx").stat().st_size,
    }
    assert data["manifest"] == json.loads((sealed / "edgekit.json").read_text())


def test_inspect_of_a_language_model_with_everything(tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    kl = Measurement(metric="kl_mean", value=0.0321, evidence="host", n=9)
    lost = Measurement(metric="eos_rate", value=None, evidence="host", reason="no prompts")
    limit = Limit(max=0.05)
    quality = Quality(
        verdict="pass",
        mode="fast",
        ran_on="this machine",
        measurements=(kl, lost),
        verdicts=(Verdict(metric="kl_mean", verdict="pass", value=0.0321, limit=limit),),
        notes=("measured on 4,096 tokens",),
    )
    known = draft(
        contract=LlmContract(eos_token_ids=(2, 7), context_length=8192, max_length=4096, vocab_size=49152),
        memory=draft().memory.model_copy(update={"kv_dtype": "float32", "kv_bytes_per_token": 46080}),
        variants=(
            Variant(
                name="portable",
                path="model/portable",
                ep="cpu",
                ep_options={"use_arena": "1"},
                compatibility=Compatibility(os=("linux",), abi=("x86_64", "aarch64"), min_onnxruntime="1.24.0"),
            ),
        ),
    )
    build(tmp_path / NAME, made_of, known, {"portable": quality})
    text = call("inspect", tmp_path / NAME).stdout
    for words in (
        "2, 7",
        "46.1 kB a token",
        "0.0321",
        "<= 0.05",
        "not measured",
        "no prompts",
        "x86_64/aarch64",
    ):
        assert words in text
    for words in ("min_onnxruntime 1.24.0", "cpu use_arena=1", "measured on 4,096 tokens", "it is small"):
        assert words in text


def test_inspect_warns_of_a_changed_bundle_and_obeys_no_escape(
    bundle: Path, tmp_path: Path, made_of: tuple[Path, Path]
) -> None:
    (bundle / "check/plan.json").unlink()
    done = call("inspect", bundle)
    assert done.returncode == 0
    assert "edgekit verify names them" in done.stderr
    hostile = draft().source.model_copy(update={"license": "\x1b[2J\x1b]0;owned\x07[bold]"})
    build(tmp_path / "hostile", made_of, draft(source=hostile))
    text = call("inspect", tmp_path / "hostile").stdout
    assert "\x1b]0" not in text
    assert "\x1b[2J" not in text
