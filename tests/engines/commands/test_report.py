"""report, baseline and compare as a user types them, and what check refuses before it begins."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edgekit.commands import main
from tests.unit.commands.test_report import Capture, document
from tests.unit.report import samples
from tests.unit.report.samples import written

pytestmark = pytest.mark.runtimes


def test_bundles_are_put_side_by_side(llm_bundle: Path, tensor_bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    one, two = tmp_path / "a" / "small-llm", tmp_path / "b" / "small-llm"
    for path in (one, two):
        shutil.copytree(llm_bundle, path)
    manifest = json.loads((one / "edgekit.json").read_text(encoding="utf-8"))
    report = samples.llm()
    mine = report.model_copy(update={"bundle": report.bundle.model_copy(update={"sha256": manifest["sha256"]})})
    written(tmp_path / "a" / "small-llm.result.json", mine)
    written(tmp_path / "b" / "small-llm.result.json", report)  # of another build
    plot = tmp_path / "plot.svg"
    found = document(capsys, "compare", one, two, "--plot", plot)["data"]
    rows = {row["name"]: row for row in found["rows"]}
    assert found["bundles"] == [str(one), str(two)]
    assert rows["model"]["values"] == ["small-llm", "small-llm"]
    assert rows["decode_tps"]["values"][0] > 0 and rows["decode_tps"]["values"][1] is None
    assert any("is of another build" in note for note in found["notes"])
    assert plot.read_text(encoding="utf-8").count(">decode_tps") == 1
    assert main(["compare", str(llm_bundle), str(tensor_bundle)]) == 0
    assert "was not measured" in capsys.readouterr().out


def test_the_best_is_marked_only_where_devices_are_the_same(llm_bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    report, names = samples.llm(), ("a", "b", "c")
    for name in names:
        shutil.copytree(llm_bundle, tmp_path / name / "small-llm")
    sha256 = json.loads((llm_bundle / "edgekit.json").read_text(encoding="utf-8"))["sha256"]
    for name, cpu, factor in (("a", "one", 1.0), ("b", "one", 1.5), ("c", "two", 2.0)):
        faster = tuple(
            one.model_copy(update={"value": (one.value or 1) * factor}) if one.metric == "decode_tps" else one
            for one in report.measurements
        )
        changed = {
            "bundle": report.bundle.model_copy(update={"sha256": sha256}),
            "device": report.device.model_copy(update={"cpu": cpu}),
        }
        written(
            tmp_path / name / "small-llm.result.json", report.model_copy(update={**changed, "measurements": faster})
        )
    folders = [tmp_path / name / "small-llm" for name in names]
    same = document(capsys, "compare", *folders[:2])["data"]
    assert next(row for row in same["rows"] if row["name"] == "decode_tps")["best"] == 1
    three = document(capsys, "compare", *folders)["data"]
    assert "best" not in next(row for row in three["rows"] if row["name"] == "decode_tps")
    assert any("device cpu is 'two'" in note for note in three["notes"])


def test_a_picture_is_the_same_each_time(llm_bundle: Path, tmp_path: Path) -> None:
    pictures = []
    for at in range(2):
        plot = tmp_path / f"{at}.svg"
        assert main(["compare", str(llm_bundle), str(llm_bundle), "--plot", str(plot)]) == 0
        pictures.append(plot.read_bytes())
    assert pictures[0] == pictures[1] and b"bundle_mb" in pictures[0]
    assert main(["compare", str(llm_bundle), str(llm_bundle), "--plot", str(tmp_path / "p.png")]) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sustain", "soon"], "is no length of time"),
        (["--sustain", "0.5s"], "is no length of time"),
        (["--sustain", "2d"], "is no length of time"),
        (["--sustain", ""], "is no length of time"),
        (["--prompts", "128;512"], "is no list of token counts"),
        (["--depths", "-5"], "is no list of token counts"),
        (["--sustain", "1m", "--processes", "2"], "it is one long run"),
        (["--ab", "B", "--budget", "decode_tps:min=1"], "it gives ratios of two bundles"),
        (["--ab", "B", "--format", "html"], "it gives ratios of two bundles"),
        (["--blocks", "9"], "--blocks says nothing without --ab"),
        (["--meter", "watts"], "is no meter"),
        (["-o", "result.pdf"], "does not say its format"),
        (["--processes", "0"], "0"),
    ],
)
def test_check_refuses_a_wrong_word_before_it_begins(
    words: list[str], said: str, llm_bundle: Path, capsys: Capture
) -> None:
    error = document(capsys, "check", llm_bundle, *words, code=2)["error"]
    assert said in error["message"] and error["next"]
