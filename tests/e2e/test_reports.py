"""edgekit check with its options and formats on a real bundle, each as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytestmark = pytest.mark.olive

Bundles = Callable[[str], Path]


@pytest.fixture
def edgekit(tmp_path: Path) -> Callable[..., str]:
    """Runs a command with a cache, and so a lock, of its own, and returns what it prints."""

    def run(*words: str | Path, code: int = 0) -> str:
        command = [sys.executable, "-m", "edgekit", *map(str, words)]
        own = {**os.environ, "EDGEKIT_CACHE": str(tmp_path / "cache")}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=own)
        assert done.returncode == code, done.stderr
        return done.stdout

    return run


def test_a_check_is_written_in_every_format(
    edgekit: Callable[..., str], catalogue_bundle: Bundles, tmp_path: Path
) -> None:
    bundle = catalogue_bundle("swift-f0")
    words = ("check", bundle, "--quick", "-q")
    suite = ElementTree.fromstring(edgekit(*words, "--format", "junit"))
    assert suite.find(".//testcase[@name='goldens']") is not None and suite.get("failures") == "0"
    table = edgekit(*words, "-o", tmp_path / "summary.md", "--budget", "bundle_mb:max=0.001", code=10)
    assert "latency_p50_ms" in table and "fail (<= 0.001)" in table
    assert "❌ fail" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    result = json.loads(bundle.with_name(f"{bundle.name}.result.json").read_text(encoding="utf-8"))
    assert result["bundle"]["kind"] == "tensor" and result["bundle"]["quality"]["verdict"] == "pass"
    assert result["bundle"]["partition"] and result["exit_code"] == 10
    page = tmp_path / "page.html"
    edgekit("report", bundle.with_name(f"{bundle.name}.result.json"), "-o", page)
    text = page.read_text(encoding="utf-8")
    assert "<b>Placement</b>" in text and "<b>Quality against the source</b>" in text


def test_a_language_model_over_a_grid_in_two_processes(
    edgekit: Callable[..., str], catalogue_bundle: Bundles, tmp_path: Path
) -> None:
    bundle, out = catalogue_bundle("smollm2-135m-instruct"), tmp_path / "r.json"
    edgekit("check", bundle, "--quick", "-q", "--prompts", "16,64", "--depths", "32", "--processes", "2", "-o", out)
    report = json.loads(out.read_text(encoding="utf-8"))
    found = {one["metric"]: one.get("value") for one in report["measurements"]}
    assert found["ttft_ms@pp16"] < found["ttft_ms@pp64"] and found["decode_tps@d32"] > 0
    assert len(report["processes"]) == 2 and "quick" in " ".join(report["conditions"]["invalid"])
    refused = edgekit("baseline", "save", out, "--json", code=11)
    assert "invalid" in json.loads(refused)["error"]["message"]


def test_a_sustained_run_and_the_comparison_of_two_bundles(
    edgekit: Callable[..., str], catalogue_bundle: Bundles, tmp_path: Path
) -> None:
    swift, vad = catalogue_bundle("swift-f0"), catalogue_bundle("silero-vad")
    edgekit("check", swift, "--sustain", "3s", "-q", "-o", tmp_path / "r.json")
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    found = {one["metric"]: one for one in report["measurements"]}
    assert found["throughput_ips"]["value"] > 0 and found["throttle_after_s"]["value"] >= 3
    power = found["power_avg_w"]  # a figure, or why there is none; never both, never neither
    assert ("value" in power) != bool(power["reason"]) and power.get("value", 1) > 0
    table = edgekit("compare", swift, vad, "--plot", tmp_path / "p.svg")
    picture = (tmp_path / "p.svg").read_text(encoding="utf-8")
    assert all("swift-f0-linux-cpu" in text for text in (table, picture)) and "sqnr_db" in table
