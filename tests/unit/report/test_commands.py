"""report, baseline and compare as a user types them, and what check refuses before it begins."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from edgekit import extras
from edgekit.commands import main
from edgekit.report.measurement import Process, Report
from tests.unit.report import samples
from tests.unit.report.conftest import written

pytestmark = pytest.mark.unit

Capture = pytest.CaptureFixture[str]
FAST, SLOW = (80.0, 80.5, 79.5, 80.2, 79.8), (68.0, 68.5, 67.5, 68.2, 67.8)


def document(capsys: Capture, *words: str | Path, code: int = 0) -> dict[str, Any]:
    """Run a command with --json; its exit code and its one document."""
    assert main([*map(str, words), "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["exit_code"] == code
    return found


def result(path: Path, values: tuple[float, ...]) -> Path:
    """A result of so many processes."""
    processes = tuple(Process(values={"decode_tps": value}, counts={}, trials=1) for value in values)
    report: Report = samples.llm().model_copy(update={"processes": processes, "raw": {}})
    return written(path, report)


def test_results_become_one_page(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    one, two = written(tmp_path / "a.json", samples.llm()), written(tmp_path / "b.json", samples.phone())
    assert main(["report", str(one), str(two)]) == 0
    assert (tmp_path / "edgekit-report.html").read_text(encoding="utf-8").count("<article") == 2
    assert document(capsys, "report", one, two, "-o", tmp_path / "x.xml")["data"]["output"].endswith("x.xml")
    assert len(ElementTree.parse(tmp_path / "x.xml").getroot()) == 2
    assert main(["report", str(one), "--format", "markdown"]) == 0
    assert capsys.readouterr().out.startswith("### smollm2-linux-cpu")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["report", "none.json"], 2),
        (["report", "a.json", "-o", "page.pdf"], 2),
        (["report", "a.json", "-o", "nowhere/page.html"], 2),
        (["report"], 2),
        (["baseline", "compare", "a.json"], 2),
        (["baseline", "compare", "a.json", "--baseline", "a.json"], 2),
        (["compare", "none"], 2),
        (["compare", "none", "nothing"], 6),
        (["compare", "x", "y", "--plot", "p.gif"], 2),
    ],
)
def test_what_cannot_be_done_says_why_and_what_next(
    words: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "a.json", samples.host())
    error = document(capsys, *words, code=code)["error"]
    assert error["message"] and error["next"]


def test_a_baseline_is_saved_and_a_regression_found(tmp_path: Path, capsys: Capture) -> None:
    before, slow = result(tmp_path / "before.json", FAST), result(tmp_path / "slow.json", SLOW)
    file = tmp_path / "base.json"
    made = document(capsys, "baseline", "save", before, "-o", file)["data"]["baseline"]
    assert made["processes"] == 5 and made["values"]["decode_tps"] == list(FAST)
    compared = ("baseline", "compare", "--baseline", file)
    assert document(capsys, *compared, before)["data"]["changes"][0]["verdict"] == "pass"
    unsure = document(capsys, *compared, slow, code=11)
    assert "not surely" in unsure["error"]["message"] and unsure["data"]["changes"]
    failed = document(capsys, *compared, slow, slow, code=10)
    assert "15.0% worse" in failed["error"]["message"]
    assert document(capsys, *compared, slow, before, code=11)["data"]["changes"][0]["verdict"] == "inconclusive"


def test_a_comparison_is_shown_as_a_table(tmp_path: Path, capsys: Capture) -> None:
    before, slow = result(tmp_path / "before.json", FAST), result(tmp_path / "slow.json", SLOW)
    assert main(["baseline", "save", str(before), "-o", str(tmp_path / "b.json")]) == 0
    assert main(["baseline", "compare", str(slow), str(slow), "--baseline", str(tmp_path / "b.json")]) == 10
    shown = capsys.readouterr().out
    assert "+15.0%" in shown and "fail" in shown and "the rerun agrees" in shown


def test_a_baseline_needs_five_processes(tmp_path: Path, capsys: Capture) -> None:
    few = result(tmp_path / "few.json", FAST[:2])
    assert "--processes 5" in document(capsys, "baseline", "save", few, code=11)["error"]["next"]


def test_bundles_are_put_side_by_side(llm_bundle: Path, tensor_bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    one, two = tmp_path / "a" / "small-llm", tmp_path / "b" / "small-llm"
    for path in (one, two):
        shutil.copytree(llm_bundle, path)
    manifest = json.loads((one / "edgekit.json").read_text(encoding="utf-8"))
    report = samples.llm()
    mine = report.model_copy(update={"bundle": {**report.bundle, "sha256": manifest["sha256"]}})
    written(tmp_path / "a" / "small-llm.result.json", mine)
    written(tmp_path / "b" / "small-llm.result.json", report)  # of another build
    plot = tmp_path / "plot.svg"
    found = document(capsys, "compare", one, two, "--plot", plot)["data"]
    rows = {row["name"]: row for row in found["rows"]}
    assert found["bundles"] == [str(one), str(two)]
    assert rows["model"]["values"] == ["small-llm", "small-llm"]
    assert rows["decode_tps"]["values"][0] > 0 and rows["decode_tps"]["values"][1] is None
    assert any("is of another build" in note for note in found["notes"])
    assert plot.read_text(encoding="utf-8").count("decode_tps") == 1
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
        changed = {"bundle": {**report.bundle, "sha256": sha256}, "device": {**report.device, "cpu": cpu}}
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
    assert main(["compare", str(llm_bundle), str(llm_bundle), "--plot", str(tmp_path / "p.png")]) == 0
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_without_the_extra_says_how_to_get_it(
    llm_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setitem(extras.EXTRAS, "report", ("matplotlib_is_not_here",))
    error = document(capsys, "compare", llm_bundle, llm_bundle, "--plot", tmp_path / "p.svg", code=7)["error"]
    assert error["next"] == "pip install 'edgekit-ai[report]'"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sustain", "soon"], "is no length of time"),
        (["--sustain", "0.5s"], "is no length of time"),
        (["--sustain", "2d"], "is no length of time"),
        (["--sustain", ""], "is no length of time"),
        (["--prompts", "128;512"], "is no list of token counts"),
        (["--depths", "-5"], "is no list of token counts"),
        (["--sustain", "1m", "--processes", "2"], "one long run"),
        (["--ab", "B", "--budget", "decode_tps:min=1"], "--ab gives ratios"),
        (["--ab", "B", "--format", "html"], "--ab gives ratios"),
        (["--blocks", "9"], "--blocks is for --ab"),
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
