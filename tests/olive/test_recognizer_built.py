"""A recognizer of speech by the user's transcripts: the error rates of both models in its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import edgekit, judged, manifest
from tests.olive import spoken

pytestmark = pytest.mark.olive
RATES = ("character_error_rate", "word_error_rate")


def figures(quality: dict[str, Any]) -> dict[str, Any]:
    return {figure["metric"]: figure.get("value") for figure in quality["measurements"]}


def verdicts(quality: dict[str, Any]) -> dict[str, str]:
    return {row["metric"]: row["verdict"] for row in quality["verdicts"]}


def test_transcripts_hold_both_models(tmp_path: Path) -> None:
    folder = spoken.recordings(tmp_path / "heard", 36)
    net = spoken.card(tmp_path, spoken.net(tmp_path / "digits.onnx"))
    words = ("--target", "linux-cpu", "--recipe", "keep", "--calibration", folder)
    edgekit("build", net, *words, "-o", tmp_path / "out")
    built = manifest(tmp_path / "out" / "digits-linux-cpu")
    assert built["contract"]["decode"] == "ctc" and built["contract"]["inputs"][0]["preprocess"]["sample_rate"] == 8000
    rates = figures(judged(built))
    for rate in RATES:
        assert rates[rate] == rates[f"{rate}@source"] and verdicts(judged(built))[rate] == "pass"
    assert rates["character_error_rate"] < 0.1 and rates["word_error_rate"] < 0.3
    assert any("texts of 20 inputs are the model's" in note for note in judged(built)["notes"])
