"""A decoder whose folder brings code of its own: built where the user trusts it, and the manifest says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit import commands
from edgekit.bundle.read import read
from tests.olive import tiny_llm

pytestmark = pytest.mark.olive

CODE = {
    "configuration_own.py": """
from transformers import LlamaConfig


class OwnConfig(LlamaConfig):
    model_type = "own_llama"
""",
    "modeling_own.py": """
from transformers import LlamaForCausalLM as Base

from .configuration_own import OwnConfig


class LlamaForCausalLM(Base):
    config_class = OwnConfig
""",
}


def own_code(folder: Path) -> Path:
    tiny_llm.llama(folder, layers=2)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["model_type"] = "own_llama"
    config["auto_map"] = {
        "AutoConfig": "configuration_own.OwnConfig",
        "AutoModelForCausalLM": "modeling_own.LlamaForCausalLM",
    }
    (folder / "config.json").write_text(json.dumps(config))
    for name, text in CODE.items():
        (folder / name).write_text(text)
    return folder


def test_it_builds_where_it_is_trusted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    words = ["build", str(own_code(tmp_path / "own")), "--target", "linux-cpu", "-o", str(tmp_path / "out"), "-q"]
    words += ["--recipe", "int8_rtn", "--quality", "off"]
    assert commands.main(words) == 4
    assert "--trust-remote-code" in capfd.readouterr().err
    assert commands.main([*words, "--trust-remote-code"]) == 0
    manifest = read(tmp_path / "out" / "own-linux-cpu")
    assert manifest.source.trust_remote_code
    assert any("runs its own code (config.json)" in line for line in manifest.source.origin)
