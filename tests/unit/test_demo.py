"""`make demo`: what it announces was measured, what it tells to type next exists, what counts for nothing is marked."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import click
import pytest

from edgekit.commands import cli

pytestmark = pytest.mark.unit

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo", SCRIPTS / "demo.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MEASURED = {
    **{"machine": "2 cores of a named machine", "date": "2026-11-30", "packages_mb": 467, "environment_mb": 1862},
    **{"disk_mb": 2600, "pip_s": 70, "pip_cpu_s": 65, "demo_s": 130, "demo_cpu_s": 120},
}


def test_what_is_announced_is_what_the_benchmark_measured(
    demo: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    card, name = tmp_path / "edgekit" / "catalog" / "models", f"{demo.MODEL}.toml"
    card.mkdir(parents=True)
    (card / name).write_text((demo.ROOT / "edgekit" / "catalog" / "models" / name).read_text(encoding="utf-8"))
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    monkeypatch.setattr(demo, "MEASURED", tmp_path / "demo.json")
    demo.announce()
    assert "was not measured yet" in capsys.readouterr().out
    (tmp_path / "demo.json").write_text(json.dumps(MEASURED))
    demo.announce()
    bare = capsys.readouterr().out
    assert "467 MB of Python packages" in bare and "269 MB of SmolLM2 135M Instruct" in bare
    assert "takes 2600 MB of disk" in bare
    assert "On 2 cores of a named machine it took 70 s for pip and 2.2 min for the rest (2.0 min of CPU)" in bare
    (tmp_path / ".stamps").mkdir()
    (tmp_path / ".stamps" / "demo").touch()
    demo.announce()
    installed = capsys.readouterr().out
    assert "Python packages" not in installed and "takes 738 MB of disk" in installed


def test_every_step_and_what_comes_after_is_a_command(demo: ModuleType) -> None:
    for name, *words in (*demo.STEPS, *demo.AFTER):
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        try:
            command.make_context(name, list(words))
        except click.BadParameter as error:  # the bundle is not built here
            assert "does not exist" in error.message
    assert len(demo.AFTER) == 3


def test_figures_stand_in_columns_and_what_is_invalid_says_so(
    demo: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    gate = {
        "verdicts": [{"metric": "kl_mean", "verdict": "pass"}],
        "measurements": [{"metric": "kl_mean", "value": 0.0331, "evidence": "host"}],
    }
    speed = {"metric": "decode_tps", "value": 61.2, "valid": False, "reason": "--quick", "evidence": "host"}
    manifest = {
        "files": [{"role": "model", "size": 130e6}],
        "model": {"source_bytes": 269e6},
        "source": {"origin": ["a checkpoint"]},
        "recipe": {"name": "int4_mixed", "summary": "int4"},
        "quality": {"portable": gate},
    }
    (tmp_path / "edgekit.json").write_text(json.dumps(manifest))
    (tmp_path / "result.json").write_text(json.dumps({"verdicts": [], "measurements": [speed]}))
    demo.summary(tmp_path, tmp_path / "result.json")
    lines = capsys.readouterr().out.splitlines()
    assert "  kl_mean     0.0331  pass (host)" in lines
    assert "  decode_tps    61.2  invalid: --quick (host)" in lines
